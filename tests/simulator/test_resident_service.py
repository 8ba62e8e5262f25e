"""Without functions, the simulator and the estimator say the same."""

import numpy as np
import pytest
from builders.estimating_world import architecture, machine, routing
from builders.simulated_days import GIB, PRICES, contender, request

from remoe_planner.demand.workload import Workload
from remoe_planner.estimating.estimate_plan import estimate_plan
from remoe_planner.hardware.curve import Curve
from remoe_planner.offerings import Offerings
from remoe_simulator.simulate import simulate

PROFILE = machine(
    context_seconds=1e-7,
    prefill_context_seconds=3e-8,
    handover=Curve(rows=(1.0, 64.0), seconds=(1e-5, 3e-5)),
    request_seconds=0.004,
)


def estimated(service, *, prompt, output, **workload):
    model = service.plan.architecture
    return estimate_plan(
        service.plan,
        routing=routing(model, skew=1e7),
        workload=Workload(prompt_tokens=prompt, output_tokens=output, **workload),
        profile=service.profile,
        offerings=Offerings(prices=service.prices, main_keep_alive_seconds=None),
    )


def test_latency_and_cost_are_the_estimators():
    service = contender(profile=PROFILE)
    day = simulate(service, [request(chunks=(256, 256), steps=41)])
    told = estimated(service, prompt=512, output=41, requests_per_second=0.0)
    one = day.served[0]
    # The estimator takes the context of the middle step for that of all.
    assert one.tpot_seconds == pytest.approx(told.latency.tpot_seconds, rel=1e-4)
    assert one.ttft_seconds == pytest.approx(told.latency.ttft_seconds, rel=1e-2)
    assert one.busy.cost == pytest.approx(told.busy.per_request, rel=5e-3)


def test_requests_decoded_together_share_the_time_of_a_step():
    service = contender(profile=PROFILE)
    together = simulate(service, [request(n, steps=40, seed=i) for i, n in enumerate("abcd")])
    told = estimated(service, prompt=32, output=40, concurrency=4.0)
    # The first of them decodes before the last is there: look at the last one.
    assert together.served[-1].tpot_seconds == pytest.approx(told.latency.tpot_seconds, rel=0.05)
    alone = simulate(service, [request(steps=40)])
    assert together.served[-1].tpot_seconds > alone.served[0].tpot_seconds
    assert together.served[-1].busy.cost < alone.served[0].busy.cost


def test_a_pass_by_hand():
    model = architecture(layers=1, experts=4, top_k=2)
    profile = machine()
    day = simulate(contender(model, profile=profile), [request(model=model, chunks=(1,), steps=1)])
    one = float(profile.local_expert.seconds(1.0, 1.0))
    passed = float(profile.module.at(1.0)) + 2 * one
    step = passed + profile.context_seconds + float(profile.step.at(1.0))
    assert day.served[0].ttft_seconds == pytest.approx(passed + 1e-3)
    assert day.served[0].tpot_seconds == pytest.approx(step)
    assert day.busy.main_gib_seconds == pytest.approx(4 * (2 * passed + profile.context_seconds))
    assert day.busy.cost == pytest.approx(day.busy.main_gib_seconds * PRICES.main_gib_second)


def test_a_long_prompt_is_computed_between_the_others_steps():
    service = contender()
    reader = request("reader", 0.0, chunks=(16,), steps=200)
    writer = request("writer", 0.1, chunks=(256,) * 8, steps=1)
    day = simulate(service, [reader, writer])
    alone = simulate(service, [writer]).served[0]
    assert day.served[1].ttft_seconds > alone.ttft_seconds
    assert day.served[1].finished_seconds < day.served[0].finished_seconds


def test_no_more_are_decoded_together_than_may_be():
    service = contender()
    requests = [request(n, steps=50, seed=i) for i, n in enumerate("abc")]
    day = simulate(service, requests, max_running=1)
    ends = [one.finished_seconds for one in day.served]
    begins = [one.first_token_seconds for one in day.served]
    assert all(begin > end for begin, end in zip(begins[1:], ends, strict=False))


def test_an_answer_of_one_token_ends_with_the_prompt():
    day = simulate(contender(), [request(steps=0)])
    one = day.served[0]
    assert one.finished_seconds == one.first_token_seconds
    assert (one.output_tokens, one.tpot_seconds) == (1, 0.0)


def test_gpu_memory_is_paid_for_beside_the_other():
    service = contender()
    plan = type(service.plan)(
        architecture=service.plan.architecture,
        functions=(),
        main_memory_bytes=GIB,
        main_gpu_bytes=2 * GIB,
    )
    day = simulate(contender(plan=plan), [], horizon_seconds=10.0)
    assert day.awake.cost == pytest.approx(10 * (PRICES.main_gib_second + 2 * 5.0))
    assert np.isnan(day.ttft_seconds(0.5))
