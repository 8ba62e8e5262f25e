"""Functions and main models that sleep: who wakes them, what it costs, and when they stop."""

import numpy as np
import pytest
from builders.estimating_world import architecture, machine
from builders.simulated_days import STEADY, contender, request

from remoe_planner.demand.slo import Slo
from remoe_planner.hardware.profile import StartTime
from remoe_simulator.contender import Waking
from remoe_simulator.simulate import simulate

FORECAST = {"waking": Waking.FORECAST, "slo": Slo(ttft_seconds=0.1, tpot_seconds=0.01)}


def test_a_function_that_is_called_asleep_is_woken_and_replaced_meanwhile():
    day = simulate(contender(remote=4), [request(steps=400)])
    awake = simulate(contender(remote=4, knobs={"min_replicas": 1}), [request(steps=400)])
    one = day.served[0]
    assert day.function_starts == 4
    assert day.early_starts == 0
    assert one.borrowed_experts > 0
    assert awake.served[0].borrowed_experts == 0
    assert one.ttft_seconds > awake.served[0].ttft_seconds
    assert one.busy.calls > 0


def test_a_borrowed_experts_weights_are_read_once_by_a_request():
    """Functions that never come: whatever is borrowed again is read already."""
    profile = machine(call=STEADY, function_start=StartTime(seconds=1e6, bytes_per_second=1e9))
    model = architecture(experts=4, top_k=4)
    given = {"model": model, "chunks": (16,), "steps": 2}
    asleep = simulate(
        contender(model, remote=4, profile=profile), [request(**given)], horizon_seconds=1.0
    ).served[0]
    resident = simulate(contender(model, profile=profile), [request(**given)]).served[0]
    read = 4 * 4 * model.expert_bytes / profile.main_start.bytes_per_second
    assert asleep.ttft_seconds == pytest.approx(resident.ttft_seconds + read)
    assert asleep.tpot_seconds == pytest.approx(resident.tpot_seconds)
    assert asleep.borrowed_experts == 3 * 16


def test_a_function_that_comes_up_within_a_pass_serves_the_layers_ahead():
    """It starts at once, so only the layer that finds it asleep is computed in its place."""
    model = architecture(layers=8)
    quick = machine(call=STEADY, function_start=StartTime(seconds=0.0, bytes_per_second=1e15))
    plan = contender(model, remote=8).plan
    whole = type(plan.functions[0])(
        name="all",
        experts=tuple(e for f in plan.functions for e in f.experts),
        memory_bytes=1 << 30,
        cores=2.0,
    )
    service = contender(
        model,
        plan=type(plan)(architecture=model, functions=(whole,), main_memory_bytes=1 << 30),
        profile=quick,
    )
    day = simulate(service, [request(model=model, chunks=(256,), steps=0)])
    assert day.served[0].borrowed_experts == model.experts_per_layer
    assert day.busy.calls == 7


def test_idle_replicas_stop_after_the_keep_alive():
    day = simulate(contender(remote=4), [request()])
    last = day.timeline[-1]
    assert last.functions_awake == 0
    assert last.main_awake
    assert last.at_seconds == day.seconds
    assert last.at_seconds >= day.served[0].finished_seconds + 9.9
    kept = simulate(contender(remote=4), [request("a"), request("b", 8.0, seed=1)])
    assert kept.function_starts == 4
    again = simulate(contender(remote=4), [request("a"), request("b", 30.0, seed=1)])
    assert again.function_starts == 8


def test_replicas_that_stay_never_stop():
    day = simulate(
        contender(remote=4, knobs={"min_replicas": 1}), [request()], horizon_seconds=99.0
    )
    assert day.function_starts == 0
    assert {standing.functions_awake for standing in day.timeline} == {4}
    assert day.seconds == 99.0


def test_a_main_model_that_sleeps_is_started_for_whoever_comes():
    service = contender(main_keep_alive_seconds=20.0)
    day = simulate(service, [request("a"), request("b", 1.0), request("c", 200.0)])
    start = 3.0 + service.plan.architecture.total_bytes / 1e9
    first, second, third = day.served
    assert day.main_starts == 2
    assert (first.found_main_asleep, second.found_main_asleep) == (True, True)
    assert first.ttft_seconds > start
    assert second.first_token_seconds > first.first_token_seconds > start
    assert third.ttft_seconds == pytest.approx(first.ttft_seconds)
    assert day.seconds == pytest.approx(third.finished_seconds + 20.0)


def test_an_awake_main_model_finds_nobody_waiting():
    service = contender(main_keep_alive_seconds=20.0)
    day = simulate(service, [request("a"), request("b", 10.0)])
    assert [one.found_main_asleep for one in day.served] == [True, False]


def test_forecasts_wake_functions_while_the_main_model_starts():
    service = contender(remote=8, main_keep_alive_seconds=20.0)
    foretold = contender(remote=8, main_keep_alive_seconds=20.0, **FORECAST)
    late = simulate(service, [request(forecast=True, steps=50)])
    early = simulate(foretold, [request(forecast=True, steps=50)])
    assert (late.early_starts, early.early_starts) == (0, 4)
    assert early.early_used == 4
    assert early.served[0].borrowed_experts == 0 < late.served[0].borrowed_experts
    assert early.ttft_seconds(0.5) < late.ttft_seconds(0.5)


def test_forecasts_change_when_functions_wake_and_nothing_that_is_computed():
    requests = [request(f"{i}", 15.0 * i, forecast=True, seed=i, steps=30) for i in range(6)]
    plain = simulate(contender(remote=6, main_keep_alive_seconds=5.0), requests)
    told = simulate(contender(remote=6, main_keep_alive_seconds=5.0, **FORECAST), requests)
    assert told.early_starts
    for one, other in zip(plain.served, told.served, strict=True):
        assert (one.name, one.prompt_tokens, one.output_tokens) == (
            other.name,
            other.prompt_tokens,
            other.output_tokens,
        )
    awake = {"min_replicas": 1}
    assert simulate(contender(remote=6, knobs=awake), requests) == simulate(
        contender(remote=6, knobs=awake, **FORECAST), requests
    )


def test_a_forecast_that_nobody_makes_wakes_nobody():
    day = simulate(contender(remote=4, **FORECAST), [request(forecast=False)])
    assert day.early_starts == 0
    assert day.function_starts == 4


def test_a_wrong_forecast_is_paid_for_and_not_used():
    model = architecture(layers=1, experts=4, top_k=1)
    never = request(model=model, chunks=(4,), steps=20)
    rows = np.zeros_like(never.chunk_rows)
    rows[:, :, 0] = 4
    wrong = type(never)(
        name="wrong",
        arrival_seconds=0.0,
        chunk_tokens=(4,),
        chunk_rows=rows,
        answer_picks=np.zeros_like(never.answer_picks),
        prompt_forecast=np.array([[0.0, 0.0, 0.0, 1.0]]),
    )
    service = contender(model, remote=1, main_keep_alive_seconds=5.0, **FORECAST)
    day = simulate(service, [wrong])
    assert (day.early_starts, day.early_used) == (1, 0)
    assert day.awake.function_cost > 0
    assert day.busy.function_cost == 0


def test_nothing_hangs_where_nothing_is_kept():
    """No keep-alive at all, and starts that take no time."""
    at_once = StartTime(seconds=0.0, bytes_per_second=1e15)
    profile = machine(call=STEADY, main_start=at_once, function_start=at_once)
    service = contender(
        remote=8, knobs={"keep_alive_seconds": 0.0}, main_keep_alive_seconds=0.0, profile=profile
    )
    day = simulate(service, [request(f"{i}", 0.5 * i, seed=i) for i in range(5)])
    assert len(day.served) == 5
    assert day.main_starts == 5
    assert day.timeline[-1].memory_bytes == 0
