"""A machine whose times are known, seen through the sums that an engine reports."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import numpy as np
import pytest

from remoe_functions.profiling.answered import Answered, parts_of, read_answer
from remoe_functions.profiling.call_time import call_time, overlap
from remoe_functions.profiling.main_time import busy, expert_time, expert_totals, main_time
from remoe_functions.profiling.residual import step_ratio
from remoe_functions.profiling.script import Script
from remoe_functions.profiling.typical import typical_of
from remoe_planner.architecture import Architecture
from remoe_planner.hardware.curve import Curve
from remoe_planner.hardware.expert_time import ExpertTime
from remoe_planner.hardware.profile import HardwareProfile, StartTime
from remoe_planner.plan import FunctionPlan, Plan
from remoe_planner.resident import plan_resident

LAYERS, EXPERTS, TOP_K, ROW_BYTES = 3, 4, 2, 128
MODULE = Curve(rows=(1, 8, 64, 256), seconds=(1e-3, 2e-3, 4e-3, 1e-2))
EXPERT = Curve(rows=(1, 4, 16, 64), seconds=(2e-4, 3e-4, 5e-4, 1.5e-3))
STEP, CALL, WIRE, CONTEXT = 5e-4, 3e-4, 1e-4, 2e-8
EVERY = np.ones((LAYERS, EXPERTS), bool)


def answer(rows, steps, *, remote=None):
    """What an engine would say of a request, with the times above; remote experts one by one."""
    remote = np.zeros((LAYERS, EXPERTS), bool) if remote is None else remote
    random = np.random.default_rng(rows)
    prefill = random.multinomial(rows * TOP_K, [1 / EXPERTS] * EXPERTS, LAYERS).astype(float)
    decode = random.multinomial(steps * TOP_K, [1 / EXPERTS] * EXPERTS, LAYERS).astype(float)
    at = [
        EXPERT.at(prefill[mask]).sum() + decode[mask].sum() * EXPERT.at(1)
        for mask in (~remote, remote)
    ]
    calls = LAYERS * (1 + steps) if remote.any() else 0
    context = LAYERS * steps * (rows * CONTEXT)
    parts = {
        "local_experts": float(at[0]),
        "wire": calls * WIRE,
        "waiting": calls * (CALL - WIRE) + float(at[1]),
        "sampling": 0.0,
        "rest": LAYERS * float(MODULE.at(rows) + steps * MODULE.at(1)) + context,
    }
    inside = LAYERS * MODULE.at(rows) + EXPERT.at(prefill).sum() + (LAYERS * CALL if calls else 0)
    whole = sum(parts.values()) + steps * STEP - float(inside)
    return Answered(
        prompt_tokens=rows,
        steps=steps,
        prefill_seconds=float(inside),
        decode_seconds=whole if steps else 0.0,
        parts=parts,
        calls=calls,
        busy_seconds=float(at[1]),
        prefill=prefill,
        decode=decode,
        token_seconds=tuple(np.cumsum(np.full(steps + 1, 0.01))),
        fallbacks=0,
    )


def session(remote=None):
    requests = Script(prompt_rows=(1, 8, 64, 256), short_prompt=8, long_prompt=128).requests(50)
    asked = [(len(each.prompt), each.steps) for each in requests]
    return typical_of([answer(*kind, remote=remote) for kind in asked for _ in range(3)])


def test_module_experts_and_context_are_told_apart():
    found = main_time([(session(), EVERY)], 2.0)
    rows = np.array([1, 8, 64, 256])
    assert found.module.at(rows) == pytest.approx(MODULE.at(rows), rel=0.02)
    assert found.local_expert.seconds(rows[:3], 2.0) == pytest.approx(EXPERT.at(rows[:3]), rel=0.05)
    assert float(found.step.at(1)) == pytest.approx(STEP, rel=0.01)
    assert found.context_seconds == pytest.approx(CONTEXT, rel=0.05)


def test_remote_experts_are_told_by_the_functions_own_time():
    found = expert_time(expert_totals(session(EVERY), EVERY, busy), 1.0)
    assert found.seconds([1, 4, 16], 1.0) == pytest.approx(EXPERT.at([1, 4, 16]), rel=0.05)


def test_a_call_is_what_is_not_the_functions_own_time():
    found = call_time(session(EVERY), ROW_BYTES)
    assert found.mean_seconds == pytest.approx(CALL, rel=0.01)
    assert found.main_seconds == pytest.approx(WIRE, rel=0.01)
    assert found.deviation_seconds == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("hidden", "expected"), [(True, 1.0), (False, 0.0)])
def test_hidden_work_is_told_from_work_in_line(hidden, expected):
    remote = np.zeros((LAYERS, EXPERTS), bool)
    remote[:, 2:] = True
    typical = session(remote)
    plan = half_remote()
    base = machine()
    steps = typical.steps[8]
    taken = taken_seconds(replace(base, overlap=1.0 if hidden else 0.0), steps, plan)
    parts = steps.parts | {"local_experts": taken * steps.steps, "wire": 0.0, "waiting": 0.0}
    typical.steps[8] = replace(steps, parts=parts)
    assert overlap(base, typical, plan) == pytest.approx(expected, abs=1e-6)


def half_remote():
    model = Architecture(
        name="m", revision="r", layers=tuple(range(LAYERS)), experts_per_layer=EXPERTS,
        top_k=TOP_K, hidden_size=ROW_BYTES // 2, expert_bytes=1, main_bytes=1,
    )  # fmt: skip
    experts = tuple(expert for expert in model.experts if expert.index >= 2)
    functions = (FunctionPlan(name="f", experts=experts, memory_bytes=1),)
    return Plan(architecture=model, functions=functions, main_memory_bytes=1)


def machine():
    expert = ExpertTime.on_one_core(EXPERT)
    start = StartTime(seconds=1, bytes_per_second=1)
    return HardwareProfile(
        name="m", source="s", measured=True, module=MODULE, step=Curve.constant(STEP),
        local_expert=expert, remote_expert=expert, call=call_time(session(EVERY), ROW_BYTES),
        main_start=start, function_start=start,
    )  # fmt: skip


def taken_seconds(profile, steps, plan):
    from remoe_planner.estimating.decoding import decode_step
    from remoe_planner.estimating.demanded import picks_of
    from remoe_planner.estimating.placed import Placed
    from remoe_planner.offerings import Offerings

    placed, visits = Placed.of(plan, Offerings()), steps.decode / steps.steps
    placed = replace(placed, cores=np.ones(1))
    found = decode_step(
        placed, profile, picks_of(placed, visits), visits, concurrency=1, context_tokens=0
    )
    return sum(found.terms[t] for t in ("local experts", "calls", "waiting for functions"))


def test_a_profile_says_what_it_was_made_from():
    plan = plan_resident(half_remote().architecture)
    assert step_ratio(machine(), session(), plan, 1) == pytest.approx(1, rel=0.01)


def test_every_session_is_asked_the_same():
    script = Script()
    assert script.requests(100) == script.requests(100)
    assert max(len(each.prompt) + each.steps + 1 for each in script.requests(9)) == script.longest


@pytest.mark.parametrize("name", ["short_prompt", "long_prompt", "steps", "repeats"])
def test_a_script_without_work_is_refused(name):
    with pytest.raises(ValueError, match=f"script: {name} must be >= 1, got 0"):
        Script(**{name: 0})


def test_parts_are_read_from_the_metrics_page():
    page = '# HELP x\nremoe_step_seconds_total{part="wire"} 1.5\nremoe_step_seconds_created 9\n'
    assert parts_of(page)["wire"] == 1.5
    assert parts_of(page)["rest"] == 0.0


def test_an_answer_that_failed_says_why():
    with pytest.raises(ValueError, match="the model failed on this request"):
        read_answer([json.dumps({"error": "the model failed on this request"})], (), {})


def test_an_answer_is_read_as_it_was_told():
    def packed(array):
        data = base64.b64encode(array.tobytes()).decode()
        return {"shape": list(array.shape), "dtype": array.dtype.str, "data": data}

    counts = np.arange(6, dtype="<u4").reshape(2, 3)
    usage = {
        "prompt_tokens": 4, "completion_tokens": 3, "prefill_seconds": 1.0, "decode_seconds": 2.0,
        "functions": {"f": {"calls": 2.0, "rows": 3, "busy_seconds": 0.5}},
        "placements": {"local": 1, "remote": 2, "fallback": 0}, "decode": packed(counts),
    }  # fmt: skip
    lines = [
        json.dumps({"token": 5}),
        json.dumps({"prefill": {"counts": packed(counts), "experts": packed(counts)}}),
        json.dumps({"finish": "length", "usage": usage}),
    ]
    found = read_answer(lines, (0.1,), {"wire": 1.0})
    assert (found.steps, found.calls, found.busy_seconds) == (2, 2.0, 0.5)
    assert np.array_equal(found.decode, counts)
