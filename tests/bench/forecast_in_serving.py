"""Forecasts as the gateway makes them, on held-out prompts of a real model.

    python tests/bench/forecast_in_serving.py MODEL --routing FILE.npz [--test 200]

FILE.npz is what `routing_of_prompts.py` collected with MODEL. Divergences are Jensen-Shannon, in
bits, the mean over layers and then over the held-out prompts. Every way sees the same history, in
the form that serving keeps it: vectors and counts, and the learner's state as saved and restored.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.encoder.embedding_table import embedding_table
from remoe_functions.gateway.fit_process import fitted, packed, packed_job, unpacked
from remoe_functions.gateway.forecasting import LEAST_KNOWN, FunctionForecast
from remoe_functions.gateway.learner import Learner
from remoe_functions.gateway.past_requests import PastRequests
from remoe_functions.gateway.reported_routing import PrefillReport
from remoe_functions.gateway.tokenizer import Tokenizer
from remoe_planner.activation_history import ActivationHistory
from remoe_planner.divergence import jensen_shannon
from remoe_planner.forecasting.context_keys import word_classes
from remoe_planner.forecasting.outlook import distribution
from remoe_planner.forecasting.routed_prompt import Query
from remoe_planner.forecasting.shape import RoutingShape
from remoe_planner.plan import Plan
from remoe_planner.prompt_vector import prompt_vector

SALT = bytes(range(16))
NO_VECTOR = Query(tokens=np.zeros(1, np.int64))


class Routing:
    """Collected prompts: tokens, experts, counts of prompt and answer, vectors."""

    def __init__(self, model, path):
        arrays = np.load(path)
        checkpoint = Checkpoint.open(model)
        self.architecture = checkpoint.architecture
        self.table = embedding_table(checkpoint)
        layers, experts = self.architecture.shape
        self.shape = RoutingShape(layers=layers, experts=experts, top_k=self.architecture.top_k)
        ends = np.cumsum(arrays["lengths"])[:-1]
        self.tokens = [tuple(t.tolist()) for t in np.split(arrays["tokens"], ends)]
        self.experts = np.split(arrays["experts"], ends)
        self.decode = arrays["decode"]
        self.prefill = np.stack([self.counts(e) for e in self.experts])
        self.vectors = np.stack([prompt_vector(self.table, t) for t in self.tokens])
        self.words = word_classes(Tokenizer.open(model).spellings(len(self.table)))

    def query(self, row):
        return Query(tokens=np.array(self.tokens[row], np.int64), vector=self.vectors[row])

    def counts(self, experts):
        cells = (
            experts.astype(np.int64) + np.arange(self.shape.layers)[:, None] * self.shape.experts
        )
        flat = np.bincount(cells.ravel(), minlength=self.shape.cells)
        return flat.reshape(self.shape.table).astype(np.uint32)

    def history(self, rows):
        return ActivationHistory(
            vectors=self.vectors[rows],
            prefill=self.prefill[rows],
            decode=self.decode[rows].astype(np.uint32),
            prompt_tokens=np.array([len(self.tokens[r]) for r in rows], np.uint32),
            decode_tokens=self.decode[rows][:, 0].sum(axis=1).astype(np.uint32) // self.shape.top_k,
        )

    def learner(self, rows):
        learner = Learner(self.shape, self.words, SALT)
        for row in rows:
            learner.learn(self.tokens[row], self.experts[row])
        return learner


def fit(learner):
    began = time.thread_time()
    job = packed_job(learner.shape, learner.words, learner.key_salt, learner.prompts_to_fit())
    learner.adopt(unpacked(fitted(job)), prompts=learner.recent, learned=learner.learned)
    return time.thread_time() - began


def restored(routing, learner):
    again = Learner(routing.shape, routing.words, SALT)
    data = packed(learner.state())
    began = time.perf_counter()
    again.restore(unpacked(data))
    return again, len(data), time.perf_counter() - began


def divergences(outlooks, actual):
    return np.array(
        [jensen_shannon(o.frequencies, a) for o, a in zip(outlooks, actual, strict=True)]
    )


def one_history(routing, rows, test):
    actual = [distribution(routing.prefill[t].astype(np.float64)) for t in test]
    past = PastRequests(routing.history(rows), routing.shape, 15)
    nothing = ActivationHistory.empty(routing.shape.table, routing.vectors.shape[1])
    empty = PastRequests(nothing, routing.shape, 15)
    tables = routing.learner(rows)
    found = {
        "uniform": divergences([empty.prompt(NO_VECTOR)] * len(test), actual),
        "mean": divergences([past.prompt(NO_VECTOR)] * len(test), actual),
        "the prompt's vector": divergences([past.prompt(routing.query(t)) for t in test], actual),
        "context, tables alone": divergences(
            [tables.forecast(routing.tokens[t]) for t in test], actual
        ),
    }
    seconds = fit(tables)
    outlooks = [tables.forecast(routing.tokens[t]) for t in test]
    found["context, fitted"] = divergences(outlooks, actual)
    again, nbytes, load_seconds = restored(routing, tables)
    found["context, after a restart"] = divergences(
        [again.forecast(routing.tokens[t]) for t in test], actual
    )
    found["as served"] = divergences(
        [served(routing, again, rows).foretell(routing.tokens[t], 16).outlook for t in test], actual
    )
    known = np.array([o.known for o in outlooks])
    trusts = [o.trust for o in outlooks]
    expected = np.array([np.nan if t is None else t.expected_divergence for t in trusts])
    figures = {"fit s": seconds, "state bytes": nbytes, "load ms": 1e3 * load_seconds}
    return found, known, expected, figures


def served(routing, learner, rows):
    plan = Plan(architecture=routing.architecture, functions=(), main_memory_bytes=1)
    forecast = FunctionForecast(plan, routing.table)
    forecast.learner = learner
    forecast.take_history(routing.history(rows[:0]))
    forecast.past = _past_of(routing, rows)
    return forecast


_pasts: dict = {}


def _past_of(routing, rows):
    key = rows.tobytes()
    if key not in _pasts:
        _pasts[key] = PastRequests(routing.history(rows), routing.shape, 15)
    return _pasts[key]


def decode(routing, rows, test):
    past = PastRequests(routing.history(rows), routing.shape, 15)
    tests = [t for t in test if routing.decode[t].any()]
    actual = [distribution(routing.decode[t].astype(np.float64)) for t in tests]
    before = [past.answer(routing.query(t)) for t in tests]
    mean = [past.answer(NO_VECTOR)] * len(tests)
    counts = [routing.prefill[t].astype(np.float64) for t in tests]
    update = past.after_prefill.update
    after = [update(o, c) for o, c in zip(before, counts, strict=True)]
    alone = np.array(
        [jensen_shannon(distribution(c), a) for c, a in zip(counts, actual, strict=True)]
    )
    return {
        "mean of answers": divergences(mean, actual),
        "the prompt's vector, before prefill": divergences(before, actual),
        "the prompt's vector, after prefill": divergences(after, actual),
        "the prompt's counts alone": alone,
    }


def speed(routing, rows, prompts, repeats):
    """Time per forecast with `prompts` requests of history: the collected ones, jittered."""
    rng = np.random.default_rng(0)
    chosen = rng.choice(rows, prompts)
    history = routing.history(chosen)
    noise = rng.normal(0, 1, history.vectors.shape).astype(np.float32)
    jittered = ActivationHistory(
        vectors=history.vectors + noise,
        prefill=history.prefill,
        decode=history.decode,
        prompt_tokens=history.prompt_tokens,
        decode_tokens=history.decode_tokens,
    )
    forecast = served(routing, routing.learner(rows), rows)
    fit(forecast.learner)
    began = time.perf_counter()
    forecast.take_history(jittered)
    took = time.perf_counter() - began
    filled = fill(forecast.learner, routing, prompts)
    ways = {
        "foretell (as served)": lambda t: forecast.foretell(routing.tokens[t], 16),
        "the prompt's vector": lambda t: forecast.past.prompt(routing.query(t)),
    }
    reports = {
        t: PrefillReport(counts=routing.prefill[t].astype(np.float64), experts=routing.experts[t])
        for t in rows[:repeats].tolist()
    }
    told = {t: forecast.foretell(routing.tokens[t], 16) for t in reports}
    ways["after prefill"] = lambda t: forecast.after_prefill(told[t], reports[t])
    print(f"\n{prompts} requests of history, taken in {took:.2f} s; {filled} prompts learned")
    print("| step | CPU p50 ms | p99 | wall p50 ms | p99 |\n|---|---|---|---|---|")
    for name, way in ways.items():
        cpu, wall = np.array([timed(way, t) for t in list(reports) * 3]).T * 1e3
        cells = [f"{np.quantile(x, q):.2f}" for x in (cpu, wall) for q in (0.5, 0.99)]
        print(f"| {name} | {' | '.join(cells)} |")


def timed(way, argument):
    began, busy = time.perf_counter(), time.thread_time()
    way(argument)
    return time.thread_time() - busy, time.perf_counter() - began


def fill(learner, routing, prompts):
    """Learn shuffled prompts until so many were learned: new contexts, as new prompts bring."""
    rng = np.random.default_rng(1)
    for number in range(max(0, prompts - learner.learned)):
        row = number % len(routing.tokens)
        order = rng.permutation(len(routing.tokens[row]))
        tokens = [routing.tokens[row][i] for i in order]
        learner.learn(tokens, routing.experts[row][order])
    return learner.learned


def table(title, found):
    print(f"\n{title}\n\n| method | mean | median | p90 |\n|---|---|---|---|")
    for name, values in found.items():
        low = f"{np.median(values):.4f} | {np.quantile(values, 0.9):.4f}"
        print(f"| {name} | {values.mean():.4f} | {low} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--routing", type=Path, required=True)
    parser.add_argument("--test", type=int, default=200)
    parser.add_argument("--histories", type=int, nargs="+", default=[16, 64, 256, 1024])
    parser.add_argument("--requests", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    routing = Routing(arguments.model, arguments.routing)
    order = np.random.default_rng(arguments.seed).permutation(len(routing.tokens))
    test, rest = order[: arguments.test], order[arguments.test :]
    sizes = sorted({min(size, len(rest)) for size in arguments.histories})
    for size in sizes:
        rows = rest[:size]
        found, known, expected, figures = one_history(routing, rows, test)
        table(f"{size} prompts of history, {len(test)} held out", found)
        print(", ".join(f"{name} {value:.4g}" for name, value in figures.items()))
        few = known < LEAST_KNOWN
        fitted_to = found["context, fitted"]
        print(f"expected {np.nanmean(expected):.4f}, found {fitted_to.mean():.4f}")
        print(f"{few.sum()} prompts with fewer than {LEAST_KNOWN:.0%} of tokens known")
        for low, high in ((0, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.85), (0.85, 1.01)):
            part = (known >= low) & (known < high)
            if part.any():
                span, context = f"known {low}-{high}", fitted_to[part].mean()
                similar = found["the prompt's vector"][part].mean()
                print(f"{span}: {part.sum()}, context {context:.4f}, vector {similar:.4f}")
    table("Answers, with all of the history", decode(routing, rest, test))
    for requests in arguments.requests:
        speed(routing, rest, requests, 200)


if __name__ == "__main__":
    main()
