"""How often bounds on expert use are broken by real prompts, and the memory that each costs.

    python tests/bench/preallocation.py --routing DIR [--splits 4] [--part bounds memory speed]

DIR holds `dsv2lite_puffin`, `gptoss20b` and `qwen15moe_gsm8k25`, each as .npz and .jsonl. A split
learns shares, correlations and quantiles from one half of the texts and counts on the other.

*each*: share of (expert, prompt) pairs above the bound. *any*: share of prompts with any expert of
any layer above it. *set*: share of (layer, prompt) pairs where the m least used experts together
got more than their bound, over m = K/4, K/2, 3K/4. *sum*: share of prompts whose remote rows of all
layers together exceed the sum of the bounds, which is what a worst-case latency adds up. *over*:
bound of the sets over what was used, median. All of it is promised for 95 %. Times
are CPU times of one thread.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from routing_counts import MODELS, load, markdown

from remoe_planner.architecture import Architecture
from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.hardware.devices import A100, XEON_6348
from remoe_planner.hardware.roofline import roofline
from remoe_planner.memory import GIB
from remoe_planner.offerings import MemoryGrid, Offerings
from remoe_planner.preallocation.bound import Bound, Promise, Reach
from remoe_planner.preallocation.choice import token_bounds
from remoe_planner.preallocation.preallocation import (
    PRINTED_KNOBS,
    PreallocationKnobs,
    Preallocator,
)
from remoe_planner.preallocation.sets import use_order

CLASSES = (("< 16", 0, 16), ("16-63", 16, 64), ("64-255", 64, 256), (">= 256", 256, 1 << 30))
TOLERANCE = 1e-9


def percent(values):
    return f"{100 * np.mean(values):.1f}" if len(values) else "-"


def judged(trace, learn, test, bound, reach):
    """For each test prompt: shares of experts and sets broken, and whether any and sums are."""
    routing = trace.routing(learn)
    order = use_order(routing.prefill, routing.decode)
    made = token_bounds(
        bound,
        routing,
        shares=routing.prefill,
        order=order,
        top_k=trace.shape.top_k,
        promise=Promise(reach=reach),
    )
    sizes = [trace.shape.experts * part // 4 for part in (1, 2, 3)]
    found = defaultdict(list)
    for i in test:
        limits, counts = made.at(int(trace.tokens[i])), trace.counts[i]
        broken = counts > limits.experts + TOLERANCE
        used = np.cumsum(np.take_along_axis(counts, order, axis=1), axis=1)
        used = np.pad(used, ((0, 0), (1, 0)))[:, sizes]
        allowed = limits.least_used[:, sizes]
        above = used > allowed + TOLERANCE
        found["each"].append(broken.mean())
        found["any"].append(broken.any())
        found["set"].append(above.mean())
        found["any set"].append(above.any(axis=0).mean())
        found["sum"].append((used.sum(axis=0) > allowed.sum(axis=0) + TOLERANCE).mean())
        found["over"].append((allowed.sum(axis=0) / np.maximum(used.sum(axis=0), 1)).mean())
    return {name: np.array(values) for name, values in found.items()}


def bounds_table(trace, splits):
    rows = []
    for reach in Reach:
        for bound in Bound:
            found, lengths = defaultdict(list), []
            for seed in range(splits):
                learn, test = trace.halves(seed)
                for name, values in judged(trace, learn, test, bound, reach).items():
                    found[name].append(values)
                lengths.append(trace.tokens[test])
            joined = {name: np.concatenate(values) for name, values in found.items()}
            tokens = np.concatenate(lengths)
            classes = [(tokens >= low) & (tokens < high) for _, low, high in CLASSES]
            rows.append(
                [
                    f"{bound}, {reach}",
                    percent(joined["each"]),
                    *(percent(joined["each"][c]) for c in classes),
                    percent(joined["any"]),
                    percent(joined["set"]),
                    *(percent(joined["set"][c]) for c in classes),
                    percent(joined["any set"]),
                    percent(joined["sum"]),
                    f"{np.median(joined['over']):.2f}",
                ]
            )
    names = [name for name, _, _ in CLASSES]
    header = ["bound", "each", *names, "any", "set", *names, "any set", "sum", "over"]
    return markdown(header, rows)


def memory_table(trace, splits):
    """GiB of main memory for one SLO, and the prompts whose remote rows exceed what was bound."""
    profile = roofline(trace.architecture, A100, XEON_6348)
    offerings = Offerings(gpu=True, function_memory=MemoryGrid(least_bytes=GIB, most_bytes=5 * GIB))
    ways = [("printed algorithm", PRINTED_KNOBS)] + [
        (f"{bound}, {'per layer' if own else 'one share'}", knobs)
        for bound in Bound
        for own in (False, True)
        for knobs in [PreallocationKnobs(bound=bound, per_layer=own)]
    ]
    loosest = worst_seconds(trace, profile, offerings)
    slos = [Slo(tpot_seconds=part * loosest, ttft_seconds=600) for part in (0.95, 0.85, 0.75)]
    header = ["", *(f"TPOT {1e3 * slo.tpot_seconds:.1f} ms: GiB" for slo in slos), "broken %"]
    rows = []
    for name, knobs in ways:
        sizes, broken = np.zeros((splits, len(slos))), []
        for seed in range(splits):
            learn, test = trace.halves(seed)
            made = Preallocator(
                trace.architecture, trace.routing(learn), profile, offerings, knobs=knobs
            )
            for column, slo in enumerate(slos):
                found = made.allocate(slo, prompt_tokens=512, output_tokens=200)
                sizes[seed, column] = found.main_memory_bytes / GIB
                broken.append(broken_share(trace, learn, test, knobs.bound, found))
        shown = [f"{size:.1f}" for size in sizes.mean(axis=0)]
        rows.append([name, *shown, percent(broken)])
    return markdown(header, rows)


def worst_seconds(trace, profile, offerings):
    """TPOT with every expert remote, at its worst."""
    made = Preallocator(trace.architecture, trace.routing(slice(None)), profile, offerings)
    return made.allocate(Slo(), prompt_tokens=512, output_tokens=200).worst_tpot_seconds


def broken_share(trace, learn, test, bound, found):
    """Share of prompts whose rows at the remote experts exceed the sum of the layers' bounds."""
    routing = trace.routing(learn)
    order = use_order(routing.prefill, routing.decode)
    made = token_bounds(
        bound, routing, shares=routing.prefill, order=order, top_k=trace.shape.top_k
    )
    layers, counts = np.arange(trace.shape.layers), np.array(found.remote_counts)
    broken = []
    for i in test:
        limit = made.at(int(trace.tokens[i])).least_used[layers, counts].sum()
        used = np.cumsum(np.take_along_axis(trace.counts[i], order, axis=1), axis=1)
        used = np.pad(used, ((0, 0), (1, 0)))[layers, counts].sum()
        broken.append(used > limit + TOLERANCE)
    return np.mean(broken)


def speed_table():
    rows = []
    scales = [
        ("DeepSeek-V2-Lite", 26, 64, 6, 2048, 17_301_504),
        ("DeepSeek-V3", 58, 256, 8, 7168, 88_080_384),
        ("Kimi-K2", 60, 384, 8, 7168, 88_080_384),
    ]
    for name, layers, experts, top_k, hidden, expert_bytes in scales:
        architecture = Architecture(
            name=name,
            revision="shape",
            layers=tuple(range(layers)),
            experts_per_layer=experts,
            top_k=top_k,
            hidden_size=hidden,
            expert_bytes=expert_bytes,
            main_bytes=10 * GIB,
        )
        routing = drawn_routing(architecture, prompts=300)
        profile = roofline(architecture, A100, XEON_6348)
        for bound in Bound:
            knobs, began = PreallocationKnobs(bound=bound), time.thread_time()
            made = Preallocator(architecture, routing, profile, Offerings(gpu=True), knobs=knobs)
            ready, times = time.thread_time() - began, []
            for tokens in range(100, 400):
                began = time.thread_time()
                made.allocate(Slo(tpot_seconds=0.1), prompt_tokens=tokens, output_tokens=200)
                times.append(time.thread_time() - began)
            p50, p99 = (1e3 * np.quantile(times, q) for q in (0.5, 0.99))
            rows.append([name, bound, f"{ready:.2f}", f"{p50:.2f}", f"{p99:.2f}"])
    return markdown(["model", "bound", "once, s", "a request, ms p50", "p99"], rows)


def drawn_routing(architecture, *, prompts):
    rng = np.random.default_rng(0)
    base = rng.gamma(0.7, 1, architecture.shape)
    samples = rng.poisson(rng.gamma(2, base / 2, (prompts, *architecture.shape)) * 5)
    samples = samples.astype(np.uint32)
    total = samples.sum(axis=0, dtype=float)
    shares = total / total.sum(axis=1, keepdims=True)
    tokens = (samples.sum(axis=2).mean(axis=1) / architecture.top_k).astype(np.uint32)
    return Routing(prefill=shares, decode=shares, samples=samples, sample_tokens=tokens)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--routing", type=Path)
    parser.add_argument("--splits", type=int, default=4)
    parts = ("bounds", "memory", "speed")
    parser.add_argument("--part", nargs="+", choices=parts, default=parts)
    options = parser.parse_args()
    if options.routing is None and options.part != ["speed"]:
        parser.error("--routing is needed for bounds and memory")
    traces = [load(options.routing, name) for name in MODELS] if options.routing else []
    for trace in traces:
        if "bounds" in options.part:
            print(f"\n{trace.name}, broken %\n\n{bounds_table(trace, options.splits)}", flush=True)
        if "memory" in options.part and trace.shape.layers > 10:
            print(f"\n{trace.name}, memory\n\n{memory_table(trace, options.splits)}", flush=True)
    if "speed" in options.part:
        print(f"\n{speed_table()}")


if __name__ == "__main__":
    main()
