"""Plans are chosen for the rate that is expected, by the judgement that their estimate tells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders.planning_worlds import a_random_world, a_world, an_architecture, some_offerings
from hypothesis import given, settings
from hypothesis import strategies as st

from remoe_planner.billing import Billing
from remoe_planner.choosing.pool import PoolKnobs
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.experts import ExpertId
from remoe_planner.method import Method
from remoe_planner.planning.explain import explain
from remoe_planner.planning.gathered import gathered
from remoe_planner.planning.grounds import Grounds
from remoe_planner.planning.layered import layered
from remoe_planner.planning.make_plan import make_plan
from remoe_planner.planning.problem import Problem
from remoe_planner.planning.promise import excess, keeps

worlds = st.builds(
    a_random_world,
    st.integers(0, 400),
    billing=st.sampled_from(list(Billing)),
    samples=st.sampled_from([0, 20]),
)


def at(world, rate):
    return world | {"workload": replace(world["workload"], requests_per_second=rate)}


def planned(world):
    return make_plan(method=Method.MARGINAL, **world)


@given(world=worlds, share=st.sampled_from([0.3, 0.6, 0.9, 1.5, 20.0]))
@settings(deadline=None, max_examples=8)
def test_whoever_can_carry_a_rate_is_preferred_and_else_nothing_is_promised(world, share):
    most = Problem(**world).estimate(_resident(world)).load.most_requests_per_second
    world = at(world, share * most)

    found = planned(world)

    assert found.feasible == keeps(found.estimate, world["slo"])
    assert found.feasible == (found.estimate.load.share < 1)
    if share < 1:
        assert found.feasible
    if not found.feasible:
        (missed,) = found.shortfalls
        assert missed.constraint == "load"


def _resident(world):
    from remoe_planner.planning.placing import place, resident_homes

    problem = Problem(**world)
    return place(problem, resident_homes(problem))


def test_functions_that_carry_a_rate_are_taken_though_they_cost_more():
    """One main model cannot do alone what it can with functions beside it."""
    world = a_world(
        architecture=an_architecture(layers=4, experts=16, top_k=4, expert_mib=64),
        offerings=some_offerings(function_price=2e-4),
    )
    calm = planned(at(world, 1e-4))
    rate = 1.15 * calm.estimate.load.most_requests_per_second

    busy = planned(at(world, rate))

    assert not calm.estimate.load.overloaded
    assert busy.feasible
    assert busy.plan.functions
    assert busy.estimate.load.most_requests_per_second > rate


@pytest.mark.parametrize("seed", [1, 4, 9])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_sums_judge_a_load_nearly_as_the_estimator_does(seed, share):
    world = a_random_world(seed)
    world |= {"slo": Slo(ttft_seconds=1.0, tpot_seconds=0.05)}
    most = Problem(**world).estimate(_resident(world)).load.most_requests_per_second
    problem = Problem(**at(world, share * most))
    for kind in (layered(problem, PoolKnobs()), *gathered(problem)):
        # Stripes of so few experts are less alike than their sums say.
        striped = [shape.stripes > 1 for shape in getattr(kind, "shapes", ())]
        possible = np.flatnonzero(np.isfinite(kind.scores.cost) & ~np.array(striped or [False]))
        which = possible[:: max(len(possible) // 8, 1)]
        for index, summed in zip(
            which.tolist(), kind.scores.excess_at_load(problem, which).tolist(), strict=True
        ):
            candidate = kind.candidate(problem, index)
            estimate = problem.estimate(candidate.placed)
            # Nearly full, little more is a much longer line.
            if estimate.load.share < 0.6:
                assert summed == pytest.approx(excess(estimate, problem.slo), rel=0.3)


def test_a_promise_that_a_rate_breaks_is_kept_by_another_plan_or_missed():
    world = a_world(architecture=an_architecture(layers=4, experts=16, top_k=4))
    free = planned(at(world, 1e-4)).estimate
    slo = Slo(tpot_seconds=1.1 * free.latency.tpot_at_percentile_seconds)
    world = at(world, 0.5 * free.load.most_requests_per_second) | {"slo": slo}

    found = planned(world)

    had = found.estimate.latency.tpot_at_percentile_seconds
    assert found.feasible == (had <= slo.tpot_seconds)


def test_reasons_tell_the_load_and_a_move_what_it_does_to_it():
    world = a_world(workload=Workload(requests_per_second=2.0))
    found = planned(world)
    load = found.estimate.load
    assert any("7200 requests an hour ask the main model for" in r for r in found.plan.reasons)
    grounds = Grounds(**{k: v for k, v in world.items() if k != "architecture"})
    assert "constraint" in explain(found.plan, ExpertId(1, 0), grounds)
    assert 0 < load.share < 1
    assert "% of what can be done" in explain(found.plan, "load", grounds)
