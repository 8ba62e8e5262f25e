"""How long a full plan takes, by scale of the model, method and billing, on one core.

    OMP_NUM_THREADS=1 python tests/bench/planning.py --repeats 5

A full plan is everything from its inputs to a checked Plan with estimate and reasons. CPU seconds
stand beside the clock's, which others on the machine lengthen.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from builders.planning_worlds import (
    a_profile,
    a_world,
    an_architecture,
    some_offerings,
)

from remoe_planner.billing import Billing
from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.memory import GIB, MIB
from remoe_planner.method import Method
from remoe_planner.offerings import MemoryGrid
from remoe_planner.planning.make_plan import make_plan


@dataclass(frozen=True)
class Scale:
    name: str
    layers: int
    experts: int
    top_k: int
    expert_mib: float
    main_gib: float


SCALES = (
    Scale("demo", 30, 8, 2, 1.3, 0.15),
    Scale("DeepSeek-V2-Lite", 26, 64, 6, 16.5, 2.5),
    Scale("Qwen3-30B", 48, 128, 8, 9.0, 3.0),
    Scale("DeepSeek-V3", 58, 256, 8, 42.0, 34.0),
    Scale("Kimi-K2", 60, 384, 8, 42.0, 24.0),
)


def routing_of(architecture, samples=64, tokens=300, seed=0):
    chance = np.random.default_rng(seed)
    layers, experts = architecture.shape
    shares = chance.dirichlet(np.full(experts, 0.5), size=layers)
    drawn = chance.poisson(
        tokens * architecture.top_k * shares * chance.gamma(2, 0.5, (samples, layers, experts))
    )
    return Routing(
        prefill=shares,
        decode=shares,
        samples=drawn.astype(np.uint32),
        sample_tokens=np.full(samples, tokens, np.uint32),
    )


def world_of(scale, billing):
    architecture = an_architecture(
        layers=scale.layers,
        experts=scale.experts,
        top_k=scale.top_k,
        expert_mib=scale.expert_mib,
        main_mib=scale.main_gib * 1024,
    )
    largest = max(4, int(2.5 * scale.experts * scale.expert_mib / 1024)) * GIB
    return a_world(
        architecture=architecture,
        routing=routing_of(architecture),
        workload=Workload(requests_per_second=1 / 30),
        profile=a_profile(expert_seconds=scale.expert_mib * MIB / 20e9, deviation=1e-4),
        offerings=some_offerings(
            billing=billing,
            function_memory=MemoryGrid(least_bytes=100 * MIB, most_bytes=largest),
            main_keep_alive_seconds=300.0,
        ),
    )


def promised(world):
    """Promises that bind: a fifth more than the cheapest plan's TPOT, half of its TTFT."""
    free = make_plan(method=Method.MARGINAL, **world).estimate.latency
    return world | {
        "slo": Slo(
            ttft_seconds=max(0.5 * free.ttft_at_percentile_seconds, 1.0),
            tpot_seconds=1.2 * free.tpot_at_percentile_seconds,
        )
    }


def measure(world, method, repeats):
    clock, cpu, planned = [], [], None
    for _ in range(repeats):
        begun, worked = time.perf_counter(), time.process_time()
        planned = make_plan(method=method, **world)
        clock.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - worked)
    return np.median(clock), np.median(cpu), planned


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--scales", nargs="*", default=[scale.name for scale in SCALES])
    options = parser.parse_args()
    print(
        "| model | experts | billing | promise | method | clock | CPU | cost | kept | functions |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for scale in SCALES:
        if scale.name not in options.scales:
            continue
        for billing in Billing:
            free = world_of(scale, billing)
            for name, world in (("none", free), ("binding", promised(free))):
                for method in (Method.PRINTED, Method.MARGINAL):
                    clock, cpu, planned = measure(world, method, options.repeats)
                    estimate = planned.estimate
                    cost = estimate.busy if billing is Billing.BUSY else estimate.awake
                    print(
                        f"| {scale.name} | {scale.layers} x {scale.experts} | {billing} | {name} "
                        f"| {method} | {1e3 * clock:.0f} ms | {1e3 * cpu:.0f} ms "
                        f"| {cost.per_request:.3g} | {planned.feasible} "
                        f"| {len(planned.plan.functions)} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
