"""The fast loop: how long a wake decision takes, and what it is worth on real routing.

    python tests/bench/fast_loop.py [--routing DIR] [--part speed replay] [--requests 300]

DIR holds the traces of `routing_counts.py`. *Speed*: CPU time of one thread for a decision by
scale, and of forecast and decision together by prompts in the history (drawn like DeepSeek-V2-
Lite's). *Replay*: half of the texts are the history; prompts of the other half come as a Poisson
stream, each used function stays awake for its keep-alive, and rows that come while a function
sleeps or starts are computed by the main model.

Policies: *none* wakes what main calls; *likely* what is needed with at least 50 %, at once; *all*
everything at once; *ours* what saves more than it costs, in time; *oracle* is ours with the true
counts in place of a forecast. *Precision*: woken functions that were used. *Recall*: used functions
that were awake or woken. *Lost*: seconds a request waits for missing functions. *GiB s*: functions
awake, a request. *Cost*: those and the seconds lost, each at its price.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from routing_counts import load, markdown

from remoe_planner.architecture import Architecture
from remoe_planner.fast_loop.demand import Phase, function_demand
from remoe_planner.fast_loop.function_table import FunctionTable
from remoe_planner.fast_loop.situation import PassTimes, Standing, Worth
from remoe_planner.fast_loop.wake_choice import choose_wakes
from remoe_planner.forecasting.choice import ForecasterSpec, new_forecaster
from remoe_planner.forecasting.forecaster import Method
from remoe_planner.forecasting.routed_prompt import Query, RoutedPrompt
from remoe_planner.forecasting.shape import RoutingShape
from remoe_planner.least_used import FunctionKnobs, plan_least_used
from remoe_planner.memory import GIB

START_SECONDS, MAIN_START_SECONDS, MAIN_KEEP_SECONDS = 2.0, 15.0, 300.0
TIMES = PassTimes(token_seconds=0.01, step_seconds=0.06, touch_seconds=0.02, row_seconds=0.002)
SCALES = (
    ("DeepSeek-V2-Lite", 26, 64, 6, 32),
    ("DeepSeek-V3", 58, 256, 8, 64),
    ("Kimi-K2", 60, 384, 8, 64),
)


def quantiles(seconds):
    return [f"{1e3 * np.quantile(seconds, q):.3f}" for q in (0.5, 0.99)]


def shaped(name, layers, experts, top_k):
    return Architecture(
        name=name,
        revision="shape",
        layers=tuple(range(layers)),
        experts_per_layer=experts,
        top_k=top_k,
        hidden_size=2048,
        expert_bytes=17_301_504,
        main_bytes=3 * GIB,
    )


def decision_table():
    rows = []
    for name, layers, experts, top_k, functions in SCALES:
        architecture = shaped(name, layers, experts, top_k)
        shares = np.random.default_rng(0).dirichlet(np.full(experts, 0.5), layers)
        knobs = FunctionKnobs(max_replicas=4)
        plan = plan_least_used(
            architecture, shares, remote_share=0.5, functions=functions, knobs=knobs
        )
        began = time.thread_time()
        table = FunctionTable.of(plan)
        ready = time.thread_time() - began
        seconds = [decided(table, shares) for _ in range(500)]
        rows.append([name, functions, len(table.cells), f"{1e3 * ready:.1f}", *quantiles(seconds)])
    header = ["model", "functions", "remote experts", "once a plan, ms", "decision, ms p50", "p99"]
    return markdown(header, rows)


def decided(table, frequencies):
    standing = Standing(
        replicas=np.zeros(len(table), np.int64),
        start_seconds=np.full(len(table), START_SECONDS),
        main_ready_seconds=1.0,
    )
    worth = Worth(function_gib_second=1.0, main_second=20.0)
    began = time.thread_time()
    phase = Phase(frequencies=frequencies, tokens=100)
    choose_wakes(table, standing, TIMES, worth, prompt=phase, answer=phase)
    return time.thread_time() - began


def history_table(sizes):
    name, layers, experts, top_k, functions = SCALES[0]
    shape = RoutingShape(layers=layers, experts=experts, top_k=top_k)
    rng = np.random.default_rng(1)
    homes = rng.permuted(np.tile(np.arange(experts, dtype=np.int8), (4096, layers, 1)), axis=2)
    plan = plan_least_used(
        shaped(name, layers, experts, top_k),
        rng.random(shape.table),
        remote_share=0.5,
        functions=functions,
    )
    table, rows = FunctionTable.of(plan), []
    for method in (Method.NEIGHBORS, Method.CONTEXT):
        spec = ForecasterSpec(shape=shape, width=2048, words=np.arange(4096))
        forecaster, known = new_forecaster(method, spec), 0
        for size in sizes:
            while known < size:
                forecaster.observe(drawn(rng, homes, top_k))
                known += 1
            if method is Method.NEIGHBORS:
                forecaster.refit()
            seconds = [both(forecaster, table, drawn(rng, homes, top_k).query) for _ in range(200)]
            rows.append([method, size, *quantiles(seconds)])
    return markdown(["forecaster", "prompts known", "forecast and decision, ms p50", "p99"], rows)


def drawn(rng, homes, top_k):
    """A prompt of 8 to 200 tokens, the frequent ones more often."""
    length = int(np.exp(rng.uniform(np.log(8), np.log(200))))
    tokens = (4096 * rng.random(length) ** 3).astype(np.int64)
    vector = rng.standard_normal(2048).astype(np.float32)
    query = Query(tokens=tokens, vector=vector)
    return RoutedPrompt(query=query, experts=homes[tokens][:, :, :top_k])


def both(forecaster, table, query):
    began = time.thread_time()
    outlook = forecaster.forecast(query)
    return time.thread_time() - began + decided(table, outlook.frequencies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A prompt on its way: forecasts of both phases, and every row of a function that it will use.

    `at` is each row's time after the first pass, `function` and `cell` whose row it is.
    """

    expected: tuple[Phase, Phase]
    true: tuple[Phase, Phase]
    at: np.ndarray
    function: np.ndarray
    cell: np.ndarray
    seconds: float


def request(table, trace, prompt, forecast, split):
    """The first `split` tokens are the prompt, the rest its answer; None: all is prompt."""
    split = len(prompt.experts) if split is None else min(split, len(prompt.experts))
    answer = len(prompt.experts) - split
    cells = prompt.cells(trace.shape)
    owner = np.full(trace.shape.cells, -1)
    owner[table.cells] = np.repeat(
        table.row_function, np.diff(np.append(table.row_starts, len(table.cells)))
    )
    prefill = split * TIMES.token_seconds
    layer = cells // trace.shape.experts / trace.shape.layers
    steps = np.maximum(np.arange(len(cells)) - split, 0)[:, None] * TIMES.step_seconds
    at = np.where(np.arange(len(cells))[:, None] < split, layer * prefill, prefill + steps)
    remote = owner[cells] >= 0
    parts = [cells[:split], cells[split:]]
    true = [np.bincount(p.ravel(), minlength=trace.shape.cells) for p in parts]
    shares = [t.reshape(trace.shape.table) / max(t.sum() / trace.shape.layers, 1) for t in true]
    return Request(
        expected=(
            Phase(frequencies=forecast, tokens=split),
            Phase(frequencies=forecast, tokens=answer),
        ),
        true=(
            Phase(frequencies=shares[0], tokens=split),
            Phase(frequencies=shares[1], tokens=answer),
        ),
        at=at[remote],
        function=owner[cells][remote],
        cell=cells[remote],
        seconds=prefill + answer * TIMES.step_seconds,
    )


class Replay:
    """One policy over a stream of requests."""

    def __init__(self, table, worth, policy):
        self.table, self.worth, self.policy = table, worth, policy
        count = len(table)
        self.until, self.gib_seconds = np.full(count, -1.0), 0.0
        self.lost = self.woken = self.hit = self.used = self.found = self.priced = 0.0
        self.main_until, self.requests = -1.0, 0

    def serve(self, now, asked):
        """Serve a request that arrives now; its end."""
        self.requests += 1
        ready = 0.02 if now < self.main_until else MAIN_START_SECONDS
        asleep = self.until < now
        standing = Standing(
            replicas=(~asleep).astype(np.int64),
            start_seconds=np.full(len(self.table), START_SECONDS),
            main_ready_seconds=ready,
        )
        chosen, after = self.chosen(standing, asked)
        self._live(now, ready, asked, asleep, np.asarray(chosen & asleep), after)
        end = now + ready + asked.seconds
        self.main_until = end + MAIN_KEEP_SECONDS
        return end

    def chosen(self, standing, asked):
        none = np.zeros(len(self.table))
        prompt, answer = asked.true if self.policy == "oracle" else asked.expected
        if self.policy in ("ours", "oracle"):
            choice = choose_wakes(
                self.table, standing, TIMES, self.worth, prompt=prompt, answer=answer
            )
            return choice.chosen, choice.after_seconds
        if self.policy == "likely":
            return function_demand(self.table, prompt, answer).probability >= 0.5, none
        return np.full(len(self.table), self.policy == "all"), none

    def _live(self, now, ready, asked, asleep, woken, after):
        first = np.full(len(self.table), np.inf)
        last = np.full(len(self.table), -np.inf)
        np.minimum.at(first, asked.function, asked.at)
        np.maximum.at(last, asked.function, asked.at)
        used = np.isfinite(first)
        begun = np.where(woken, now + after, now + ready + np.where(used, first, 0.0))
        comes = np.where(asleep, begun + START_SECONDS - now - ready, -1.0)
        missing = asked.at < comes[asked.function]
        touched = len(np.unique(asked.cell[missing]))
        lost = touched * TIMES.touch_seconds + missing.sum() * TIMES.row_seconds
        self._bill(now, ready, asleep, woken | used, used, begun, last)
        second = self.worth.before_first_token(
            ready + asked.expected[0].tokens * TIMES.token_seconds
        )
        self.lost, self.priced = self.lost + lost, self.priced + lost * second
        self.woken, self.hit = self.woken + woken.sum(), self.hit + (woken & used).sum()
        self.used, self.found = (
            self.used + used.sum(),
            self.found + (used & (~asleep | woken)).sum(),
        )

    def _bill(self, now, ready, asleep, there, used, begun, last):
        idle_from = np.where(
            used, np.maximum(now + ready + last, begun + START_SECONDS), begun + START_SECONDS
        )
        new = np.where(there, idle_from + self.table.keep_alive_seconds, self.until)
        new = np.where(asleep | used, new, self.until)
        more = np.where(there & asleep, new - begun, np.maximum(new - self.until, 0.0))
        self.gib_seconds += float((np.where(there, more, 0.0) * self.table.memory_gib).sum())
        self.until = np.maximum(self.until, np.where(there, new, -1.0))

    def row(self):
        n = max(self.requests, 1)
        precision = f"{self.hit / self.woken:.2f}" if self.woken else "-"
        price = self.worth.function_gib_second
        cost = self.gib_seconds * price + self.priced
        return [
            self.policy,
            f"{self.woken / n:.1f}",
            precision,
            f"{self.found / max(self.used, 1):.2f}",
            f"{self.lost / n:.3f}",
            f"{self.gib_seconds / n:.1f}",
            f"{cost / n:.1f}",
        ]


def replay_table(trace, *, requests, split, share, functions, keep_alive, between):
    learn, test = trace.halves(0)
    routing = trace.routing(learn)
    plan = plan_least_used(
        trace.architecture,
        routing.prefill,
        remote_share=share,
        functions=functions,
        knobs=FunctionKnobs(keep_alive_seconds=keep_alive),
    )
    table = FunctionTable.of(plan)
    worth = Worth(function_gib_second=1.0, main_second=plan.main_memory_bytes / GIB)
    forecast = forecasts(trace, learn)
    asked = [request(table, trace, trace.prompts[i], forecast(i), split) for i in test[:requests]]
    rows = []
    for policy in ("none", "likely", "all", "ours", "oracle"):
        played, rng, now = Replay(table, worth, policy), np.random.default_rng(3), 0.0
        for one in asked:
            now = played.serve(now + rng.exponential(between), one)
        rows.append(played.row())
    header = ["policy", "woken", "precision", "recall", "lost s", "GiB s", "cost"]
    return markdown(header, rows)


def forecasts(trace, learn):
    """The token tables' forecast, unfitted, after the history."""
    forecaster = new_forecaster(
        Method.CONTEXT, ForecasterSpec(shape=trace.shape, words=trace.words)
    )
    for i in learn:
        forecaster.observe(trace.prompts[i])
    return lambda i: forecaster.forecast(trace.prompts[i].query).frequencies


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--routing", type=Path)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--history", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument(
        "--part", nargs="+", choices=("speed", "replay"), default=("speed", "replay")
    )
    options = parser.parse_args()
    if "speed" in options.part:
        print(f"\n{decision_table()}\n\n{history_table(options.history)}", flush=True)
    if "replay" in options.part and options.routing is None:
        parser.error("--routing is needed for replay")
    if "replay" not in options.part:
        return
    for name, split in (("dsv2lite_puffin", None), ("gptoss20b", 32)):
        trace = load(options.routing, name)
        for functions, keep_alive, between in (
            (32, 60.0, 120.0),
            (128, 60.0, 120.0),
            (128, 60.0, 20.0),
            (128, 60.0, 1200.0),
        ):
            made = replay_table(
                trace,
                requests=options.requests,
                split=split,
                share=0.5,
                functions=functions,
                keep_alive=keep_alive,
                between=between,
            )
            said = f"{functions} functions, a request every {between:g} s"
            print(f"\n{name}, half of the experts in {said}\n\n{made}", flush=True)


if __name__ == "__main__":
    main()
