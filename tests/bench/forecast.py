"""Forecast quality on real routing traces: method by method, on several disjoint splits.

    python tests/bench/forecast.py --routing DIR [--splits 5] [--json FILE]

DIR holds `dsv2lite_puffin`, `gptoss20b` and `qwen15moe_gsm8k25`, each as .npz and .jsonl. A split
tests on 250 prompts of at least 8 tokens whose texts stand nowhere in its history. Divergences are
Jensen-Shannon, in bits, the mean over layers and then over prompts. Times are CPU times.
"""

from __future__ import annotations

import argparse
import json
import re
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from remoe_planner.forecasting.after_prefill import Continuation, fit_after_prefill
from remoe_planner.forecasting.choice import ForecasterSpec, new_forecaster
from remoe_planner.forecasting.context_forecaster import ContextForecaster
from remoe_planner.forecasting.context_keys import word_classes
from remoe_planner.forecasting.divergences import layer_divergences
from remoe_planner.forecasting.forecaster import Method
from remoe_planner.forecasting.neighbors import NeighborForecaster, NeighborKnobs
from remoe_planner.forecasting.routed_prompt import Query, RoutedPrompt
from remoe_planner.forecasting.shape import RoutingShape

WIDTH = 2048
LONG = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    shape: RoutingShape
    prompts: list[RoutedPrompt]
    texts: np.ndarray
    words: np.ndarray | None
    lines: list[dict]

    def vectored(self, history):
        """The prompts with TF-IDF vectors, weighed by how rare a word is in the history."""
        bags = np.stack([bag_of(line["prompt"]) for line in self.lines])
        rarity = np.log(len(history) / (1 + (bags[history] > 0).sum(axis=0)))
        return [
            RoutedPrompt(
                query=Query(
                    tokens=p.query.tokens, vector=(bag * rarity.clip(0)).astype(np.float32)
                ),
                experts=p.experts,
            )
            for p, bag in zip(self.prompts, bags, strict=True)
        ]


def bag_of(text):
    bag = np.zeros(WIDTH)
    for word in re.findall(r"\w+", text.lower()):
        bag[zlib.crc32(word.encode()) % WIDTH] += 1
    return np.log1p(bag)


def load(directory, name, experts, key):
    arrays = np.load(directory / f"{name}.npz")
    lines = [json.loads(line) for line in (directory / f"{name}.jsonl").open()]
    routed, offsets = arrays["topk_ids"], arrays["offsets"]
    ids: dict = {}
    prompts = []
    for line, start, end in zip(lines, offsets, offsets[1:], strict=False):
        tokens = np.array([ids.setdefault(t, len(ids)) for t in line[key]][: end - start], np.int64)
        rows = routed[start : start + len(tokens)]
        prompts.append(RoutedPrompt(query=Query(tokens=tokens), experts=rows))
    return Trace(
        shape=RoutingShape(layers=routed.shape[1], experts=experts, top_k=routed.shape[2]),
        prompts=prompts,
        texts=np.unique([line["prompt"] for line in lines], return_inverse=True)[1],
        words=word_classes(list(ids)) if isinstance(next(iter(ids)), str) else None,
        lines=lines,
    )


def splits(trace, count, size, least=8):
    """Disjoint test sets, one prompt a text; each history holds none of its test's texts."""
    first = {}
    for i, (text, prompt) in enumerate(zip(trace.texts, trace.prompts, strict=True)):
        if len(prompt.query.tokens) >= least:
            first.setdefault(text, i)
    order = np.random.default_rng(0).permutation(list(first.values()))
    for start in range(0, count * size, size):
        test = order[start : start + size]
        yield np.flatnonzero(~np.isin(trace.texts, trace.texts[test])), test


def trained(method, trace, prompts, history, alpha=15):
    spec = ForecasterSpec(
        shape=trace.shape, width=WIDTH, words=trace.words, neighbors=NeighborKnobs(alpha=alpha)
    )
    forecaster = new_forecaster(method, spec)
    for i in history:
        forecaster.observe(prompts[i])
    if isinstance(forecaster, NeighborForecaster):
        forecaster.refit()
    return forecaster


def judged(forecaster, shape, prompts):
    outlooks, seconds = [], []
    for prompt in prompts:
        start = time.thread_time()
        outlooks.append(forecaster.forecast(prompt.query))
        seconds.append(time.thread_time() - start)
    actual = np.stack([p.frequencies(shape) for p in prompts])
    divergence = layer_divergences(np.stack([o.frequencies for o in outlooks]), actual).mean(axis=1)
    return divergence, np.array(seconds), outlooks


def floor(shape, prompts, seed=1):
    """The divergence of a prompt from as many independent draws of its own true spread."""
    rng = np.random.default_rng(seed)
    found = []
    for prompt in prompts:
        actual = prompt.frequencies(shape)
        draws = rng.multinomial(len(prompt.experts) * shape.top_k, actual)
        found.append(layer_divergences(draws / draws.sum(axis=1, keepdims=True), actual).mean())
    return np.array(found)


def row(divergence, lengths, seconds=None, nbytes=0):
    times = np.zeros(1) if seconds is None else seconds
    return {
        "all": float(divergence.mean()),
        "long": float(divergence[lengths >= LONG].mean()) if (lengths >= LONG).any() else 0.0,
        "median_ms": float(np.median(times) * 1e3),
        "p99_ms": float(np.quantile(times, 0.99) * 1e3),
        "bytes": int(nbytes),
    }


def baselines(trace, prompts, history, test, lengths):
    rows = {}
    tests = [prompts[i] for i in test]
    plans = [(Method.UNIFORM, 15), (Method.MEAN, 15), (Method.TREE, 15), (Method.NEIGHBORS, 15)]
    for method, alpha in [*plans, (Method.NEIGHBORS, 40)]:
        forecaster = trained(method, trace, prompts, history, alpha)
        divergence, seconds, _ = judged(forecaster, trace.shape, tests)
        name = f"{method}, alpha {alpha}" if method in (Method.TREE, Method.NEIGHBORS) else method
        rows[str(name)] = row(divergence, lengths, seconds, getattr(forecaster, "nbytes", 0))
    return rows


def one_split(trace, history, test):
    prompts = trace.vectored(history)
    tests = [prompts[i] for i in test]
    lengths = np.array([len(p.query.tokens) for p in tests])
    rows = baselines(trace, prompts, history, test, lengths)
    ours = trained(Method.CONTEXT, trace, prompts, history)
    divergence, seconds, _ = judged(ours, trace.shape, tests)
    rows["context, tables alone"] = row(divergence, lengths, seconds, ours.nbytes)
    start = time.thread_time()
    ours.refit([prompts[i] for i in history])
    fit_seconds = time.thread_time() - start
    divergence, seconds, outlooks = judged(ours, trace.shape, tests)
    rows["context, fitted"] = row(divergence, lengths, seconds, ours.nbytes)
    rows["(finite-sample floor)"] = row(floor(trace.shape, tests), lengths)
    return rows, calibration(trace.shape, tests, outlooks, divergence) | {"fit_s": fit_seconds}


def calibration(shape, prompts, outlooks, divergence):
    expected = np.array([o.trust.expected_divergence for o in outlooks])
    inside = {}
    for name, z in (("50", 0.6745), ("90", 1.645)):
        low = np.array([o.trust.divergence_quantile(-z) for o in outlooks])
        high = np.array([o.trust.divergence_quantile(z) for o in outlooks])
        inside[name] = float(((low <= divergence) & (divergence <= high)).mean())
    deciles = np.array_split(np.argsort(expected), 10)
    return {
        "deciles": [(float(expected[d].mean()), float(divergence[d].mean())) for d in deciles],
        "divergence_coverage": inside,
        "count_coverage": {str(x): coverage(shape, prompts, outlooks, x) for x in (0.5, 0.9)},
    }


def coverage(shape, prompts, outlooks, level):
    """Share of expert counts inside their interval, and its mean width in tokens."""
    inside, widths = [], []
    for prompt, outlook in zip(prompts, outlooks, strict=True):
        low, high = outlook.count_interval(len(prompt.query.tokens), shape.top_k, level)
        counts = prompt.counts(shape)
        inside.append(((low <= counts) & (counts <= high)).mean())
        widths.append((high - low).mean())
    return float(np.mean(inside)), float(np.mean(widths))


def part_of(prompt, start, end):
    query = Query(tokens=prompt.query.tokens[start:end], vector=prompt.query.vector)
    return RoutedPrompt(query=query, experts=prompt.experts[start:end])


def decode_split(trace, history, test, prefix):
    """Divergence of forecasts of what follows the first `prefix` tokens, known and counted."""
    shape, prompts = trace.shape, trace.vectored(history)
    tests = [prompts[i] for i in test]
    fit, held = history[::2], history[1::2]
    found = {}
    for method in (Method.MEAN, Method.NEIGHBORS, Method.CONTEXT):
        small, full = (trained(method, trace, prompts, part) for part in (fit, history))
        if isinstance(full, ContextForecaster):
            small.refit([prompts[i] for i in fit])
            full.refit([prompts[i] for i in history])
        past = [continued(small, shape, prompts[i], prefix) for i in held]
        update = fit_after_prefill(past)
        found[f"{method}, before"], found[f"{method}, after"] = decoded(
            full, shape, tests, prefix, update
        )
    found["true counts alone"] = counted_alone(shape, tests, prefix)
    found["(finite-sample floor)"] = floor(shape, [part_of(p, prefix, None) for p in tests])
    return found


def continued(forecaster, shape, prompt, prefix):
    head, rest = part_of(prompt, 0, prefix), part_of(prompt, prefix, None)
    return Continuation(
        forecast=forecaster.forecast(head.query).frequencies,
        counts=head.counts(shape),
        rest=rest.frequencies(shape),
    )


def decoded(forecaster, shape, tests, prefix, update):
    before, after = [], []
    for prompt in tests:
        head, rest = part_of(prompt, 0, prefix), part_of(prompt, prefix, None)
        outlook, actual = forecaster.forecast(head.query), rest.frequencies(shape)
        updated = update.update(outlook, head.counts(shape))
        before.append(layer_divergences(outlook.frequencies, actual).mean())
        after.append(layer_divergences(updated.frequencies, actual).mean())
    return np.array(before), np.array(after)


def counted_alone(shape, tests, prefix):
    heads = np.stack([part_of(p, 0, prefix).frequencies(shape) for p in tests])
    rests = np.stack([part_of(p, prefix, None).frequencies(shape) for p in tests])
    return layer_divergences(heads, rests).mean(axis=1)


def prefill(directory, count):
    trace = load(directory, "dsv2lite_puffin", 64, "tokens")
    results = []
    for number, split in enumerate(splits(trace, count, 250), 1):
        results.append(one_split(trace, *split))
        print(
            f"split {number}:",
            {k: round(v["all"], 4) for k, v in results[-1][0].items()},
            flush=True,
        )
    return [rows for rows, _ in results], [measured for _, measured in results]


def decode(directory, count):
    """GPT-OSS-20B, all generations and those that do not loop; mean of each split."""
    trace = load(directory, "gptoss20b", 32, "generated_tokens")
    loops = np.array([line["has_repetition"] for line in trace.lines])
    results = []
    for history, test in splits(trace, count, 100, least=64):
        found = decode_split(trace, history, test, 32)
        results.append(
            {
                name: {"all": float(x.mean()), "no loops": float(x[~loops[test]].mean())}
                for name, x in found.items()
            }
        )
        print(f"split {len(results)}:", results[-1], flush=True)
    return results


def qwen(directory):
    """Qwen1.5-MoE, 25 prompts in 5 folds: prefill forecast, then decode after it."""
    trace = load(directory, "qwen15moe_gsm8k25", 60, "token_ids")
    heads = [line["n_prefill"] for line in trace.lines]
    whole = [part_of(p, 0, n) for p, n in zip(trace.prompts, heads, strict=True)]
    found: dict = {str(m): [] for m in (Method.UNIFORM, Method.MEAN, Method.CONTEXT)}
    for fold in range(5):
        test, history = range(fold, 25, 5), [i for i in range(25) if i % 5 != fold]
        for method, divergences in found.items():
            forecaster = trained(Method(method), trace, whole, history)
            if isinstance(forecaster, ContextForecaster):
                forecaster.refit([whole[i] for i in history])
            divergences.extend(judged(forecaster, trace.shape, [whole[i] for i in test])[0])
    return {name: float(np.mean(d)) for name, d in found.items()}


def spread(values):
    return f"{np.median(values):.4f} ({min(values):.4f}-{max(values):.4f})"


def print_prefill(rows, measured):
    print("DeepSeek-V2-Lite prefill: median over splits (least-most)")
    print(f"{'method':28} {'all':24} {'>= 64 tokens':24} {'ms':>6} {'p99':>6} {'MB':>7}")
    for name in rows[0]:
        of = [split[name] for split in rows]
        print(
            f"{name:28} {spread([r['all'] for r in of]):24} {spread([r['long'] for r in of]):24} "
            f"{np.median([r['median_ms'] for r in of]):6.2f} "
            f"{np.median([r['p99_ms'] for r in of]):6.2f} {of[0]['bytes'] / 1e6:7.1f}"
        )
    deciles = np.mean([m["deciles"] for m in measured], axis=0)
    print("expected -> realized by decile:", " ".join(f"{e:.3f}>{r:.3f}" for e, r in deciles))
    for level in ("50", "90"):
        inside = [m["divergence_coverage"][level] for m in measured]
        print(f"divergence inside its {level} % interval: {spread(inside)}")
    for level in ("0.5", "0.9"):
        inside, width = zip(*[m["count_coverage"][level] for m in measured], strict=True)
        print(f"counts inside their {level} interval: {spread(inside)}, width {np.mean(width):.2f}")
    print(f"fit: {np.median([m['fit_s'] for m in measured]):.1f} s CPU")


def print_decode(results):
    print("GPT-OSS-20B decode after 32 tokens: median over splits (least-most)")
    for name in results[0]:
        cells = [spread([r[name][kind] for r in results]) for kind in ("all", "no loops")]
        print(f"{name:28} all {cells[0]:24} no loops {cells[1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--routing", type=Path, required=True, help="folder of the traces")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--only", choices=["prefill", "decode", "qwen"])
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    figures: dict = {}
    if arguments.only in (None, "qwen"):
        figures["qwen"] = qwen(arguments.routing)
        print("Qwen1.5-MoE prefill:", {k: round(v, 4) for k, v in figures["qwen"].items()})
    if arguments.only in (None, "decode"):
        figures["decode"] = decode(arguments.routing, arguments.splits)
        print_decode(figures["decode"])
    if arguments.only in (None, "prefill"):
        rows, measured = prefill(arguments.routing, arguments.splits)
        figures["prefill"] = {"rows": rows, "calibration": measured}
        print_prefill(rows, measured)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
