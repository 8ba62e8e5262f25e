"""With functions that are there: the estimator's latency, and a pass by hand."""

import numpy as np
import pytest
from builders.estimating_world import architecture, machine, routing
from builders.simulated_days import STEADY, contender, request

from remoe_planner.demand.workload import Workload
from remoe_planner.estimating.estimate_plan import estimate_plan
from remoe_planner.hardware.profile import CallTime
from remoe_planner.offerings import Offerings
from remoe_simulator.simulate import simulate

KEPT = {"min_replicas": 1}


@pytest.mark.parametrize("overlap", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_even_routing_takes_what_the_estimator_says(overlap, top_k):
    model = architecture(layers=6, experts=16, top_k=top_k)
    service = contender(model, remote=8, knobs=KEPT, profile=machine(call=STEADY, overlap=overlap))
    requests = [
        request(f"{i}", 50.0 * i, model=model, chunks=(256,), steps=80, seed=i) for i in range(8)
    ]
    day = simulate(service, requests)
    told = estimate_plan(
        service.plan,
        routing=routing(model, skew=1e7),
        workload=Workload(prompt_tokens=256, output_tokens=80),
        profile=service.profile,
        offerings=Offerings(prices=service.prices, main_keep_alive_seconds=None),
    )
    assert day.tpot_seconds(0.5) == pytest.approx(told.latency.tpot_seconds, rel=0.03)
    assert day.ttft_seconds(0.5) == pytest.approx(told.latency.ttft_seconds, rel=0.03)
    assert day.busy.cost / 8 == pytest.approx(told.busy.per_request, rel=0.03)


def test_a_pass_by_hand():
    """One layer of one local and one remote expert, both picked by every token."""
    model = architecture(layers=1, experts=2, top_k=2)
    call = CallTime(mean_seconds=1e-3, main_seconds=1e-4, bytes_per_second=1e6)
    profile = machine(call=call, overlap=0.5)
    service = contender(model, remote=1, knobs=KEPT, profile=profile)
    one = simulate(service, [request(model=model, chunks=(8,), steps=1)]).served[0]

    def pass_seconds(rows, context):
        local = float(profile.local_expert.seconds(rows, 1.0)) + call.main_seconds
        work = float(profile.remote_expert.seconds(rows, 2.0))
        remote = call.mean_seconds + 2 * rows * 128 / call.bytes_per_second + work
        experts = local + remote - 0.5 * min(local, remote)
        return float(profile.module.at(rows)) + experts + context * profile.context_seconds

    first, step = pass_seconds(8.0, 0), pass_seconds(1.0, 8)
    assert one.ttft_seconds == pytest.approx(first + 1e-3)
    assert one.tpot_seconds == pytest.approx(step + 1e-3)
    work = sum(float(profile.remote_expert.seconds(rows, 2.0)) for rows in (8.0, 1.0))
    assert one.busy.function_gib_seconds == pytest.approx(work)
    assert one.busy.main_gib_seconds == pytest.approx(4 * (first + step))
    assert one.busy.calls == 2


def test_replicas_share_a_long_prompt():
    model = architecture()
    one, two = (
        simulate(
            contender(model, remote=8, knobs={"min_replicas": n, "max_replicas": n}),
            [request(model=model, chunks=(256,), steps=3)],
        ).served[0]
        for n in (1, 2)
    )
    assert one.ttft_seconds > two.ttft_seconds
    assert one.tpot_seconds == pytest.approx(two.tpot_seconds)
    assert two.busy.calls > one.busy.calls


def test_rows_beyond_a_payload_take_another_call():
    model = architecture()
    # A token's row is 128 bytes: 256 of them are 32 KiB.
    whole, parts = (
        simulate(
            contender(model, remote=8, knobs=KEPT, payload_bytes=payload),
            [request(model=model, chunks=(256,), steps=0)],
        )
        for payload in (None, 8192)
    )
    assert (whole.busy.calls, parts.busy.calls) == (4, 16)
    assert parts.served[0].ttft_seconds > whole.served[0].ttft_seconds


def test_luck_of_calls_evens_out_and_never_turns_time_back():
    wild = CallTime(mean_seconds=3e-4, deviation_seconds=3e-4, main_seconds=5e-5)
    steady, chance = (
        simulate(
            contender(remote=4, knobs=KEPT, profile=machine(call=call)),
            [request(f"{i}", 50.0 * i, steps=100, seed=i) for i in range(10)],
        )
        for call in (CallTime(mean_seconds=3e-4, main_seconds=5e-5), wild)
    )
    assert np.isclose(chance.busy.main_cost, steady.busy.main_cost, rtol=0.02)
    assert chance.tpot_seconds(0.9) > chance.tpot_seconds(0.1)
    absurd = CallTime(mean_seconds=1e-6, deviation_seconds=1.0)
    day = simulate(
        contender(remote=4, knobs=KEPT, profile=machine(call=absurd)), [request(steps=30)]
    )
    assert day.served[0].first_token_seconds > 0
    assert day.served[0].finished_seconds > day.served[0].first_token_seconds


def test_main_and_its_functions_have_the_cores_that_are_left():
    """A profile's main model without functions has times of its own; with functions it has not."""
    profile = machine(call=STEADY)
    from remoe_planner.hardware.profile import MainTime

    alone = MainTime(
        module=profile.module,
        step=profile.step,
        local_expert=profile.local_expert,
        main_cores=4.0,
    )
    both = machine(call=STEADY, alone=alone)
    assert (
        simulate(contender(profile=both), [request()]).served[0].tpot_seconds
        < simulate(contender(profile=profile), [request()]).served[0].tpot_seconds
    )
    assert simulate(contender(remote=4, profile=both, knobs=KEPT), [request()]) == simulate(
        contender(remote=4, profile=profile, knobs=KEPT), [request()]
    )
