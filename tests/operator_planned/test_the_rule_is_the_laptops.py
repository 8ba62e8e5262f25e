"""By cost where a latency is promised or the machine is known, else by use; within bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders.moe_services import SHAPE, a_spec, facts

from remoe_operator.planned.planning import Made, Refused, make, usage_asks_for_a_plan
from remoe_operator.resource.quantity import bytes_of
from remoe_planner.hardware.devices import XEON_6348
from remoe_planner.hardware.roofline import roofline
from remoe_planner.memory import MIB
from remoe_planner.method import Method

PROFILE = replace(roofline(SHAPE, XEON_6348), measured=True, name="lab").to_json()
USAGE = {
    "requests": 2,
    "prefill": [[8, 4, 2, 2, 0, 0, 0, 0]] * 3,
    "decode": [[16, 8, 4, 4, 0, 0, 0, 0]] * 3,
    "samples": [[[12, 6, 3, 3, 0, 0, 0, 0]] * 3, [[12, 6, 4, 2, 0, 0, 0, 0]] * 3],
    "sample_tokens": [12, 12],
    "prompt_tokens_mean": 4,
    "output_tokens_mean": 8,
    "max_prompt_tokens": 4,
    "max_output_tokens": 8,
}


def made(usage=None, profile=None, architecture=SHAPE, **sections):
    answer = make(a_spec(**sections), facts(architecture), usage=usage, profile=profile)
    assert isinstance(answer, Made), answer
    return answer


def refused(profile=None, architecture=SHAPE, **sections):
    answer = make(a_spec(**sections), facts(architecture), profile=profile)
    assert isinstance(answer, Refused), answer
    return answer


def test_without_a_promise_the_least_used_half_leaves():
    plan = made().plan.plan
    assert plan.method is Method.LEAST_USED
    assert plan.remote_share == 0.5
    assert len(plan.functions) == 4
    assert plan.estimate.awake.per_hour > 0


def test_another_share_is_honored():
    assert made(experts={"remoteShare": 0.25}).plan.plan.remote_share == 0.25
    assert made(experts={"remoteShare": 0}).plan.plan.functions == ()


def test_what_was_recorded_says_which():
    local = made(usage=USAGE).plan.plan.local_experts
    assert {expert.index for expert in local} == {0, 1, 2, 3}


@pytest.mark.parametrize("given", [{"slo": {"tpot": "50ms"}}, {"slo": {"ttft": "5s"}}])
def test_a_promise_is_planned_for_by_cost(given):
    assert made(**given).plan.plan.method is Method.MARGINAL


def test_a_measured_machine_is_planned_for_by_cost():
    plan = made(profile=PROFILE).plan.plan
    assert plan.method is Method.MARGINAL
    assert plan.estimate.profile == "lab (measured)"


def test_a_stated_machine_is_said_to_be_stated():
    plan = made(slo={"tpot": "50ms"}, main={"cpu": "4"}).plan.plan
    assert "stated, not measured" in plan.estimate.profile
    assert "4 cores" in plan.estimate.profile


def test_fewer_cores_promise_less():
    few, many = (
        made(slo={"tpot": "1ms"}, main={"cpu": cpu}).plan.plan.estimate.latency
        for cpu in ("1", "16")
    )
    assert few.tpot_seconds > many.tpot_seconds


def test_a_gpu_is_planned_for_with_its_memory():
    for sections in ({}, {"slo": {"tpot": "100ms"}}):
        plan = made(main={"device": "gpu"}, **sections).plan.plan
        assert plan.main_gpu_bytes >= SHAPE.main_bytes


def test_a_promise_that_cannot_be_kept_still_has_a_plan():
    answer = made(slo={"tpot": "1ms", "ttft": "1ms"})
    assert not answer.feasible
    assert {sentence.split()[0] for sentence in answer.shortfalls} == {"TTFT", "TPOT"}


def test_a_promise_that_can_be_kept_is():
    assert made(slo={"tpot": "10s", "ttft": "60s"}).feasible


@pytest.mark.parametrize("sections", [{}, {"slo": {"tpot": "10s"}}])
@pytest.mark.parametrize(
    "bounds",
    [
        {"maxFunctions": 1},
        {"maxFunctions": 2, "maxReplicas": 1},
        {"minMemory": "256Mi"},
        {"maxMemory": "140Mi", "maxFunctions": 24},
        {"keepAlive": "5s"},
    ],
)
def test_plans_stay_within_bounds(sections, bounds):
    spec = a_spec(experts=bounds, **sections).experts
    plan = made(experts=bounds, **sections).plan.plan
    assert len(plan.functions) <= spec.max_functions
    for function in plan.functions:
        assert bytes_of(spec.min_memory) <= function.memory_bytes <= bytes_of(spec.max_memory)
        assert function.max_replicas <= spec.max_replicas
        assert function.keep_alive_seconds == (5 if "keepAlive" in bounds else 60)


@pytest.mark.parametrize("sections", [{}, {"slo": {"tpot": "10s"}}])
def test_main_memory_is_bounded_by_sending_experts_away(sections):
    limit = 1160 * MIB
    plan = made(main={"memoryLimit": f"{limit >> 20}Mi"}, **sections).plan.plan
    assert plan.main_memory_bytes <= limit
    assert plan.remote_share > 0.5


def test_what_had_to_be_bent_is_said():
    plan = made(main={"memoryLimit": "1140Mi"}).plan.plan
    assert "main.memoryLimit leaves no room" in plan.reasons[0]
    plan = made(experts={"maxMemory": "140Mi", "maxFunctions": 2}).plan.plan
    assert plan.remote_share == pytest.approx(6 / 24)
    assert "experts.maxFunctions" in plan.reasons[0]


@pytest.mark.parametrize(
    ("sections", "field"),
    [
        ({"main": {"memoryLimit": "100Mi"}}, "main.memoryLimit"),
        ({"main": {"memoryLimit": "1Mi"}}, "main.memoryLimit"),
        ({"main": {"memoryLimit": "200Mi"}, "slo": {"tpot": "1s"}}, "main.memoryLimit"),
        (
            {
                "main": {"memoryLimit": "1140Mi"},
                "experts": {"maxMemory": "140Mi", "maxFunctions": 1},
            },
            "experts.maxFunctions",
        ),
    ],
)
def test_bounds_that_nothing_fits_are_refused_by_name(sections, field):
    answer = refused(**sections)
    assert answer.reason == "NothingFits"
    assert field in answer.message


def test_a_profile_that_is_none_is_refused():
    answer = refused(profile="{}")
    assert answer.reason == "ProfileInvalid"
    assert "profile" in answer.message


def test_a_profile_of_another_kind_of_machine_is_refused():
    answer = refused(profile=PROFILE, main={"device": "gpu"})
    assert answer.reason == "ProfileInvalid"
    assert "main.device" in answer.message


def test_the_same_question_has_the_same_answer():
    one, two = (made(usage=USAGE, slo={"tpot": "20ms"}).plan for _ in range(2))
    assert one == two


def test_a_large_model_is_planned_for_too():
    large = replace(
        SHAPE, layers=tuple(range(60)), experts_per_layer=160, top_k=6, expert_bytes=24 * MIB
    )
    plan = made(architecture=large).plan.plan
    assert 0 < plan.remote_share <= 0.5
    assert all(function.memory_bytes <= 16 << 30 for function in plan.functions)


@pytest.mark.parametrize(
    "usage",
    [
        USAGE | {"prefill": [[1, 2]]},
        USAGE | {"samples": [[[1]]]},
        USAGE | {"decode": [[-1] * 8] * 3},
        {"requests": 3},
        USAGE | {"prefill": "many"},
    ],
)
def test_use_that_cannot_be_read_is_left_out_and_that_is_said(usage):
    answer = made(usage=usage)
    assert answer.plan.plan == made().plan.plan
    assert "left out" in answer.notes[0]


def test_no_use_is_nothing_to_speak_of():
    empty = {"requests": 0, "prefill": np.zeros((3, 8)).tolist()}
    assert made(usage=empty).notes == ()


@pytest.mark.parametrize(("saving", "asks"), [(None, False), (0, False), (0.1, True), (-1, False)])
def test_the_gateway_says_when_another_plan_would_pay(saving, asks):
    assert usage_asks_for_a_plan({"replan_saving_per_hour": saving}) is asks
    assert not usage_asks_for_a_plan({})
