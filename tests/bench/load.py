"""Estimates at a load beside simulated requests: how far off they are, from idle to nearly full.

    python tests/bench/load.py --requests 1500

Each row is a share of what the main model can do. Requests come by chance, and everything is warm;
their lengths are all alike, or spread by exponential chance around the same means. Ratios are the
estimate over what was simulated, medians and range over several days.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from builders.contender_settings import a_paper_setting
from builders.estimating_world import architecture, machine, routing
from builders.simulated_days import STEADY, contender, request

from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.estimating.estimate_plan import estimate_plan
from remoe_planner.offerings import Offerings
from remoe_simulator.contenders.planned import ours
from remoe_simulator.contenders.promises import with_promises
from remoe_simulator.contenders.resident import mixed
from remoe_simulator.contenders.standing import always_on
from remoe_simulator.simulate import simulate

LOADS = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95)
MAX_BATCH = 8
DRAWN = 24


@dataclass(frozen=True)
class World:
    """Somebody who serves, and what is asked of them."""

    name: str
    service: object
    routing: object
    prompt: int
    output: int
    longest: int
    spread: bool = False

    def workload(self, rate):
        return Workload(
            prompt_tokens=self.prompt,
            output_tokens=self.output,
            max_prompt_tokens=self.longest,
            max_output_tokens=self.output,
            requests_per_second=rate,
        )

    def estimate(self, rate):
        service = self.service
        offerings = Offerings(
            prices=service.prices,
            main_keep_alive_seconds=None,
            max_batch=MAX_BATCH,
            payload_bytes=service.payload_bytes,
        )
        return estimate_plan(
            service.plan,
            routing=self.routing,
            workload=self.workload(rate),
            profile=service.profile,
            offerings=offerings,
            slo=Slo(),
        )

    def requests(self, rate, count, seed):
        """By chance; each is one of a few that were drawn."""
        chance = np.random.default_rng(seed)
        kinds = [self._request(seed * DRAWN + number, chance) for number in range(DRAWN)]
        arrivals = np.cumsum(chance.exponential(1 / rate, count))
        return [
            replace(kinds[chance.integers(DRAWN)], name=str(number), arrival_seconds=float(at))
            for number, at in enumerate(arrivals.tolist())
        ]

    def _request(self, seed, chance):
        prompt, output = self.prompt, self.output
        if self.spread:
            prompt = 1 + round(chance.exponential(prompt))
            output = 1 + round(chance.exponential(output))
        chunk = self.service.profile.prefill_chunk
        chunks = [chunk] * (prompt // chunk) + ([prompt % chunk] if prompt % chunk else [])
        model = self.service.plan.architecture
        return request("a", model=model, chunks=chunks, steps=output, seed=seed)


def worlds():
    model = architecture()
    even = routing(model, skew=1e7)
    for remote in (0, 4):
        profile = machine(call=STEADY, prefill_chunk=32)
        small = always_on(contender(model, remote=remote, profile=profile))
        where = f"small, {remote} of 8 remote"
        yield World(f"{where}, 32:40", small, even, 32, 40, 32)
        yield World(f"{where}, 256:40", small, even, 256, 40, 256)
    yield World(f"{where}, about 64:40", small, even, 64, 40, 192, spread=True)
    setting = with_promises(a_paper_setting(), tpot=1.5, ttft=3.0)
    lite = setting.architecture
    even = routing(lite, skew=1e7)
    for make in (mixed, ours):
        big = always_on(make(setting))
        yield World(f"DeepSeek-V2-Lite, {make.__name__}, 125:200", big, even, 125, 200, 125)
    yield World("DeepSeek-V2-Lite, ours, 2000:60", big, even, 2000, 60, 2000)
    yield World("DeepSeek-V2-Lite, ours, about 600:100", big, even, 600, 100, 1800, spread=True)


def compared(world, load, count, seeds):
    alone = world.estimate(1e-6).load
    rate = load * alone.most_requests_per_second
    told = world.estimate(rate)
    latency = told.latency
    days = [
        simulate(world.service, world.requests(rate, count, seed), seed=seed, max_running=MAX_BATCH)
        for seed in range(seeds)
    ]
    seen = {
        "TPOT mean": ([d.served for d in days], np.mean, "tpot_seconds", latency.tpot_seconds),
        "TPOT p95": (
            [d.served for d in days],
            lambda v: np.quantile(v, 0.95),
            "tpot_seconds",
            latency.tpot_at_percentile_seconds,
        ),
        "TTFT mean": ([d.served for d in days], np.mean, "ttft_seconds", latency.ttft_seconds),
        "TTFT p95": (
            [d.served for d in days],
            lambda v: np.quantile(v, 0.95),
            "ttft_seconds",
            latency.ttft_at_percentile_seconds,
        ),
    }
    cells = []
    for served, told_of, name, expected in seen.values():
        found = [told_of([getattr(one, name) for one in day[count // 10 :]]) for day in served]
        ratios = expected / np.array(found)
        cells.append(f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})")
    return [f"{told.load.rows:.2f}", *cells]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1500)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--loads", type=float, nargs="*", default=LOADS)
    parser.add_argument("--worlds", nargs="*", default=[""])
    options = parser.parse_args()
    print("| world | load | rows | TPOT, mean | TPOT, p95 | TTFT, mean | TTFT, p95 |")
    print("|---|---|---|---|---|---|---|")
    for world in worlds():
        if not any(word in world.name for word in options.worlds):
            continue
        for load in options.loads:
            cells = compared(world, load, options.requests, options.days)
            print(f"| {world.name} | {load:g} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
