from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders.planning_worlds import a_routing, a_world, an_architecture, with_slo

from remoe_planner.demand.slo import Slo
from remoe_planner.estimating.estimate_plan import estimate_plan
from remoe_planner.experts import ExpertId
from remoe_planner.least_used import plan_least_used
from remoe_planner.method import Method
from remoe_planner.offerings import MemoryGrid
from remoe_planner.plan import Plan
from remoe_planner.planning.explain import explain
from remoe_planner.planning.grounds import Grounds
from remoe_planner.planning.make_plan import make_plan
from remoe_planner.planning.moving import NEW, moved


@pytest.fixture
def world():
    return a_world(architecture=an_architecture(layers=3, experts=8, expert_mib=64))


@pytest.fixture
def plan(world):
    return make_plan(method=Method.PRINTED, **world).plan


@pytest.fixture
def grounds(world):
    return Grounds(
        routing=world["routing"], workload=world["workload"], offerings=world["offerings"]
    )


def test_an_expert_says_where_it_is_and_how_much_it_is_used(plan, grounds):
    expert = plan.remote_experts[0]

    answer = explain(plan, expert, grounds)

    assert str(expert) in answer
    assert plan.function_of(expert).name in answer
    assert "least used of 8" in answer
    assert "a request under busy billing" in answer


def test_a_local_expert_says_so(world, grounds):
    local = Plan(architecture=world["architecture"], functions=(), main_memory_bytes=1 << 30)

    assert "is local" in explain(local, ExpertId(1, 0), grounds)


def test_a_function_says_what_it_is_for(plan, grounds):
    answer = explain(plan, plan.functions[0].name, grounds)

    assert "on-demand" in answer
    assert f"{len(plan.functions[0].experts)} experts of 1 layers" in answer


def test_a_binding_constraint_says_how_much_of_it_is_used(world, grounds):
    tight = with_slo(world, tpot_seconds=1e-6)

    plan = make_plan(method=Method.MARGINAL, **tight).plan

    assert "TPOT" in explain(plan, "tpot", grounds)
    assert any("TPOT" in constraint for constraint in plan.binding)


@pytest.mark.parametrize("about", ["layer-99", "TTFT"])
def test_what_the_plan_has_not_is_refused_with_what_it_has(plan, grounds, about):
    with pytest.raises(ValueError, match="has no function or binding constraint"):
        explain(plan, about, grounds)


def known(world, grounds, **more):
    return replace(grounds, profile=world["profile"], **more)


def test_a_remote_expert_is_weighed_beside_the_main_model(world, plan, grounds):
    expert = plan.remote_experts[0]
    home = plan.function_of(expert)

    move = moved(plan, expert, grounds, world["profile"])

    left = replace(home, experts=tuple(other for other in home.experts if other != expert))
    rest = tuple(left if each is home else each for each in plan.functions)
    local = replace(plan, functions=rest)
    given = {name: world[name] for name in ("routing", "workload", "profile", "offerings")}
    estimated = estimate_plan(local, **given)
    assert move.target is None
    assert move.after.latency.tpot_seconds == pytest.approx(estimated.latency.tpot_seconds, rel=0.1)
    assert move.before.busy == plan.estimate.busy
    assert move.after.main_memory_bytes >= plan.main_memory_bytes


def test_a_local_expert_is_weighed_in_functions_old_and_new(world, grounds):
    use = np.arange(24.0).reshape(3, 8)
    plan = plan_least_used(world["architecture"], use, remote_share=0.5, functions=2)
    expert = plan.local_experts[-1]

    move = moved(plan, expert, grounds, world["profile"])

    assert move.target in {*(function.name for function in plan.functions), NEW}
    assert move.after.function_memory_bytes > move.before.function_memory_bytes
    assert move.after.main_memory_bytes <= move.before.main_memory_bytes


def test_without_functions_a_new_one_is_weighed(world, grounds):
    plan = Plan(architecture=world["architecture"], functions=(), main_memory_bytes=1 << 33)

    answer = explain(plan, ExpertId(1, 0), known(world, grounds))

    assert "Moved into a new function:" in answer
    assert "TPOT +" in answer


def test_a_move_that_breaks_a_promise_names_it(world, grounds):
    plan = Plan(architecture=world["architecture"], functions=(), main_memory_bytes=1 << 33)
    free = moved(plan, ExpertId(1, 0), grounds, world["profile"])
    before, after = (each.latency.tpot_at_percentile_seconds for each in (free.before, free.after))
    slo = Slo(tpot_seconds=(before + after) / 2)

    answer = explain(plan, ExpertId(1, 0), known(world, grounds, slo=slo))

    assert "That breaks: TPOT (" in answer
    assert "TTFT (" not in answer


def test_a_move_beyond_what_is_on_offer_names_the_size(world, plan, grounds):
    grid = MemoryGrid(least_bytes=1 << 20, most_bytes=plan.main_memory_bytes, step_bytes=1 << 20)
    tight = replace(grounds.offerings, main_memory=grid)

    answer = explain(plan, plan.remote_experts[0], known(world, grounds, offerings=tight))

    assert "That breaks: main memory (" in answer


def test_without_a_hardware_profile_it_is_said_what_is_known(plan, grounds):
    answer = explain(plan, plan.remote_experts[0], grounds)

    assert "Moved" not in answer
    assert "told where there is a hardware profile" in answer


def test_an_expert_of_another_model_is_refused(plan, grounds):
    with pytest.raises(ValueError, match="no expert 77/0"):
        explain(plan, ExpertId(77, 0), grounds)


def test_routing_of_another_model_is_refused(plan, grounds, world):
    other = Grounds(
        routing=a_routing(an_architecture(layers=9)),
        workload=grounds.workload,
        offerings=grounds.offerings,
    )

    with pytest.raises(ValueError, match="routing: must be of shape"):
        explain(plan, ExpertId(1, 0), other)


def test_a_plan_with_estimate_and_reasons_survives_json(plan):
    assert Plan.from_json(plan.to_json()) == plan
    assert plan.reasons
    assert plan.method is Method.PRINTED
