"""Experts run only where the resource lets them, or the refusal says why they cannot."""

from __future__ import annotations

import pytest
from builders.moe_services import SHAPE, a_spec, facts

from remoe_operator.planned.planning import Made, Refused, make
from remoe_planner.plan import Tier

PROMISES = ({}, {"slo": {"tpot": "10s"}}, {"slo": {"tpot": "1ms"}})


def answer(*tiers, **sections):
    experts = {"tiers": list(tiers)} | sections.pop("experts", {})
    return make(a_spec(experts=experts, **sections), facts())


def used(made):
    assert isinstance(made, Made), made
    plan = made.plan.plan
    return {plan.tier_of(expert) for expert in SHAPE.experts}


@pytest.mark.parametrize("promise", PROMISES)
@pytest.mark.parametrize(
    "tiers",
    [
        ("local",),
        ("always-on",),
        ("on-demand",),
        ("local", "on-demand"),
        ("local", "always-on"),
        ("always-on", "on-demand"),
    ],
)
def test_no_expert_is_where_it_must_not_be(tiers, promise):
    made = answer(*tiers, **promise)
    assert used(made) <= {Tier(tier) for tier in tiers}
    assert made.plan.plan.estimate is not None


def test_a_plan_that_was_changed_is_estimated_as_it_is():
    asleep, awake = (
        answer("local", tier).plan.plan.estimate.awake.idle_per_hour
        for tier in ("on-demand", "always-on")
    )
    assert awake > asleep


def test_promises_are_held_against_forced_tiers():
    assert not answer("on-demand", slo={"ttft": "1ms"}).feasible


def test_functions_that_must_stay_awake_are_said_to():
    reasons = answer("local", "always-on").plan.plan.reasons
    assert "experts.tiers" in reasons[0]


@pytest.mark.parametrize(
    ("tiers", "sections", "words"),
    [
        (("local",), {"main": {"memoryLimit": "1140Mi"}}, "local experts alone"),
        (
            ("on-demand",),
            {"experts": {"maxMemory": "140Mi", "maxFunctions": 2}},
            "hold 6 of 24 experts",
        ),
    ],
)
def test_tiers_that_do_not_hold_the_experts_are_refused(tiers, sections, words):
    refused = answer(*tiers, **sections)
    assert isinstance(refused, Refused)
    assert "experts.tiers" in refused.message
    assert words in refused.message
