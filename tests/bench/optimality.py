"""How far plans are from the cheapest there is, on random and realistic instances.

    python tests/bench/optimality.py --instances 300 --realistic 12

Every instance has a function for each layer, and promises drawn between the tightest that any plan
keeps and what the cheapest plan has. The optimum is an integer program (HiGHS) for each size of
the main model; the printed method's plan and everything resident stand beside ours.
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
    a_random_world,
    a_routing,
    a_world,
    an_architecture,
    some_offerings,
)

from remoe_planner.billing import Billing
from remoe_planner.choosing.pool import PoolKnobs
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.exact.layered_optimum import Optimum, layered_optimum
from remoe_planner.memory import GIB, MIB
from remoe_planner.method import Method
from remoe_planner.offerings import MemoryGrid
from remoe_planner.planning.layered import layered, ledger_of
from remoe_planner.planning.make_plan import make_plan
from remoe_planner.planning.problem import Problem


@dataclass
class Found:
    kind: str
    billing: Billing
    gap: float | None
    printed_gap: float | None
    resident_gap: float | None
    whole_gap: float | None
    exact_seconds: float


def a_realistic_world(seed, billing):
    """DeepSeek-V2-Lite's shape: 26 layers of 64 experts, with 100 MiB steps of memory."""
    chance = np.random.default_rng(seed)
    architecture = an_architecture(
        layers=26, experts=64, top_k=6, expert_mib=16.5, main_mib=float(chance.uniform(2e3, 4e3))
    )
    return a_world(
        architecture=architecture,
        routing=a_routing(architecture, seed, skew=float(chance.choice([0.3, 1.0]))),
        workload=Workload(
            prompt_tokens=int(chance.integers(16, 400)),
            output_tokens=int(chance.integers(50, 400)),
            requests_per_second=10.0,
        ),
        profile=a_profile(
            expert_seconds=float(chance.uniform(5e-4, 2e-3)),
            call_seconds=float(chance.uniform(2e-4, 2e-3)),
        ),
        offerings=some_offerings(
            billing=billing,
            function_price=float(chance.uniform(0.3, 1.2)) * 1e-5,
            function_memory=MemoryGrid(least_bytes=500 * MIB, most_bytes=5 * GIB),
            main_memory=MemoryGrid(least_bytes=500 * MIB, most_bytes=64 * GIB, step_bytes=GIB),
        ),
    )


def with_promises(world, seed):
    """Promises between the tightest that are kept and what the cheapest plan has."""
    chance = np.random.default_rng(seed)
    problem = Problem(**world)
    found = layered(problem, PoolKnobs())
    if found is None:
        return None
    scores = found.scores
    possible = np.isfinite(scores.cost)
    cheapest = int(np.argmin(scores.cost))
    # Around one candidate, so that both can be kept together.
    tight = int(chance.choice(np.flatnonzero(possible)))
    slack = chance.uniform(0, 1)
    ttft, tpot = (
        float(values[tight] + slack * max(values[cheapest] - values[tight], 0.0)) * (1 + 1e-6)
        for values in (scores.ttft_seconds, scores.tpot_seconds)
    )
    asked = chance.choice(3)
    slo = Slo(ttft_seconds=ttft if asked != 1 else None, tpot_seconds=tpot if asked != 2 else None)
    return world | {"slo": slo}


def measure(kind, world, seed):
    world = with_promises(world, seed)
    if world is None:
        return None
    problem = Problem(**world)
    found = layered(problem, PoolKnobs())
    kept = np.isfinite(found.scores.cost) & (found.scores.excess(problem) <= 1)
    best = int(np.flatnonzero(kept)[np.argmin(found.scores.cost[kept])]) if kept.any() else None
    ours = None if best is None else float(found.scores.cost[best])
    known = None if best is None else Optimum(picks=found.picks_of(best), cost=ours)
    begun = time.perf_counter()
    optimum = layered_optimum(problem, found.options, known)
    seconds = time.perf_counter() - begun
    if optimum is None:
        return Found(kind, world["offerings"].billing, None, None, None, None, seconds)
    # The optimum is of sums; where they and the ledger part, the instance says nothing.
    exact = ledger_of(problem, found.options).score(
        found.options.choices.totals(optimum.picks[None])
    )
    if float(exact.excess(problem)[0]) > 1 + 1e-6:
        return None
    return Found(
        kind,
        world["offerings"].billing,
        np.inf if ours is None else ours / optimum.cost - 1,
        gap_of(make_plan(method=Method.PRINTED, **world), problem, optimum),
        resident_gap(world, problem, found, optimum),
        gap_of(make_plan(method=Method.MARGINAL, **world), problem, optimum),
        seconds,
    )


def gap_of(planned, problem, optimum):
    """None where the plan does not keep the promise."""
    if not planned.feasible:
        return None
    return problem.cost(planned.estimate) / optimum.cost - 1


def resident_gap(world, problem, found, optimum):
    totals = found.options.choices.totals(np.zeros((1, len(world["architecture"].layers)), int))
    scores = ledger_of(problem, found.options).score(totals)
    kept = float(scores.excess(problem)[0]) <= 1 and np.isfinite(scores.cost[0])
    return float(scores.cost[0]) / optimum.cost - 1 if kept else None


def row(name, gaps, count):
    known = np.array([gap for gap in gaps if gap is not None])
    missed = count - len(known)
    if not len(known):
        return f"| {name} | {count} | {missed} | | | | |"
    median, high, worst, mean = (
        np.median(known),
        np.quantile(known, 0.95),
        known.max(),
        known.mean(),
    )
    return (
        f"| {name} | {count} | {missed} | {100 * median:.2f} % | {100 * mean:.2f} % "
        f"| {100 * high:.2f} % | {100 * worst:.2f} % |"
    )


def report(kind, found):
    feasible = [one for one in found if one.gap is not None]
    print(
        f"\n### {kind}: {len(feasible)} instances with an optimum, "
        f"{len(found) - len(feasible)} without any plan\n"
    )
    print("| plan | instances | misses the promise | median gap | mean | 95th | worst |")
    print("|---|---|---|---|---|---|---|")
    for billing in Billing:
        own = [one for one in feasible if one.billing is billing]
        if not own:
            continue
        print(row(f"ours, layers alone ({billing})", [one.gap for one in own], len(own)))
        print(row(f"ours, whole ({billing})", [one.whole_gap for one in own], len(own)))
        print(row(f"as printed ({billing})", [one.printed_gap for one in own], len(own)))
        print(row(f"resident ({billing})", [one.resident_gap for one in own], len(own)))
    seconds = sum(one.exact_seconds for one in found)
    print(f"\nInteger programs took {seconds:.0f} s.")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=300)
    parser.add_argument("--realistic", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    kinds = {
        "random": (a_random_world, options.instances),
        "DeepSeek-V2-Lite's shape": (a_realistic_world, options.realistic),
    }
    for kind, (make, wanted) in kinds.items():
        found, seed = [], options.seed
        while len(found) < wanted:
            one = measure(kind, make(seed, list(Billing)[seed % 2]), seed)
            if one is not None:
                found.append(one)
            seed += 1
        if found:
            report(kind, found)


if __name__ == "__main__":
    main()
