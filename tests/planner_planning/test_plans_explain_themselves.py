from __future__ import annotations

import pytest
from builders.planning_worlds import a_routing, a_world, an_architecture, with_slo

from remoe_planner.experts import ExpertId
from remoe_planner.method import Method
from remoe_planner.plan import Plan
from remoe_planner.planning.explain import Grounds, explain
from remoe_planner.planning.make_plan import make_plan


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
