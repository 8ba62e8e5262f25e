"""Money and time are conserved, and nothing costs more than it should."""

from itertools import pairwise

import pytest
from builders.simulated_days import GIB, PRICES, contender, request
from hypothesis import given, settings
from hypothesis import strategies as st

from remoe_planner.bill import Bill
from remoe_simulator.contender import Waking
from remoe_simulator.simulate import simulate

KINDS = ("main_gib_seconds", "gpu_gib_seconds", "function_gib_seconds", "calls", "cost")


@st.composite
def days(draw):
    waking = draw(st.sampled_from(Waking))
    service = contender(
        remote=draw(st.integers(0, 8)),
        knobs={
            "min_replicas": draw(st.integers(0, 1)),
            "max_replicas": draw(st.integers(1, 3)),
            "keep_alive_seconds": draw(st.sampled_from([0.0, 0.5, 10.0])),
        },
        waking=waking,
        main_keep_alive_seconds=draw(st.sampled_from([None, 0.0, 5.0])),
    )
    arrivals = sorted(draw(st.lists(st.sampled_from([0.0, 0.01, 0.3, 4.0, 30.0]), max_size=5)))
    requests = [
        request(
            f"{i}",
            at,
            seed=i,
            chunks=draw(st.sampled_from([(1,), (32,), (64, 5)])),
            steps=draw(st.integers(0, 30)),
            forecast=waking is Waking.FORECAST,
        )
        for i, at in enumerate(arrivals)
    ]
    horizon = draw(st.sampled_from([None, 40.0]))
    return service, requests, simulate(service, requests, horizon_seconds=horizon)


@settings(max_examples=60, deadline=None)
@given(days())
def test_requests_pay_for_all_that_worked(drawn):
    _, requests, day = drawn
    assert len(day.served) == len(requests)
    whole = sum((one.busy for one in day.served), Bill())
    for kind in KINDS:
        assert getattr(whole, kind) == pytest.approx(getattr(day.busy, kind))


@settings(max_examples=60, deadline=None)
@given(days())
def test_the_awake_bill_is_what_the_timeline_says(drawn):
    service, _, day = drawn
    ends = [*day.timeline[1:], None][: len(day.timeline)]
    main = byte_seconds = 0.0
    for standing, following in zip(day.timeline, ends, strict=True):
        lasted = (following.at_seconds if following else day.seconds) - standing.at_seconds
        assert lasted >= 0
        main += lasted * standing.main_awake
        byte_seconds += lasted * standing.memory_bytes
    bill = day.awake
    assert bill.main_gib_seconds == pytest.approx(main * service.plan.main_memory_bytes / GIB)
    assert bill.gib_seconds == pytest.approx(byte_seconds / GIB)
    assert bill.call_cost == pytest.approx(day.busy.calls * PRICES.call)
    assert 0 <= day.starting.cost <= bill.cost
    assert all(a.at_seconds < b.at_seconds for a, b in pairwise(day.timeline))


@settings(max_examples=60, deadline=None)
@given(days())
def test_nothing_works_that_is_not_awake(drawn):
    _, _, day = drawn
    assert day.busy.main_gib_seconds <= day.awake.main_gib_seconds * (1 + 1e-9)
    for one in day.served:
        assert one.arrival_seconds < one.first_token_seconds <= one.finished_seconds <= day.seconds
    assert 0 <= day.early_used <= day.early_starts <= day.function_starts


@settings(max_examples=60, deadline=None)
@given(days())
def test_what_may_sleep_is_asleep_in_the_end(drawn):
    service, _, day = drawn
    kept = sum(function.min_replicas for function in service.plan.functions)
    if day.timeline and day.seconds != 40.0:
        assert day.timeline[-1].functions_awake == kept
        assert day.timeline[-1].main_awake == (service.main_keep_alive_seconds is None)


def test_a_day_without_requests_costs_what_is_kept_warm():
    kept = contender(remote=4, knobs={"min_replicas": 1, "max_replicas": 2})
    day = simulate(kept, [], horizon_seconds=100.0)
    assert day.awake.cost == pytest.approx(100 * (4 * 2.0 + 4 * 3.0))
    assert day.busy.cost == 0
    nothing = contender(remote=4, main_keep_alive_seconds=60.0)
    assert simulate(nothing, [], horizon_seconds=100.0).awake.cost == 0
    assert simulate(kept, []).awake.cost == 0


def test_a_cold_start_is_paid_for_and_so_is_the_keep_alive():
    service = contender(main_keep_alive_seconds=60.0)
    day = simulate(service, [request()])
    assert day.awake.main_gib_seconds == pytest.approx(4 * (day.served[0].finished_seconds + 60))
    start = 3.0 + service.plan.architecture.total_bytes / 1e9
    assert day.starting.main_gib_seconds == pytest.approx(4 * start)
    awake = contender(remote=4, knobs={"min_replicas": 1})
    assert simulate(awake, [request()]).starting.cost == 0
    asleep = simulate(contender(remote=4), [request(steps=99)])
    each = 0.4 + 4 * service.plan.architecture.expert_bytes / 1e9
    assert asleep.starting.function_gib_seconds == pytest.approx(4 * each)


def test_who_comes_after_the_day_is_not_served_and_who_came_before_is():
    service = contender()
    day = simulate(
        service, [request("a", 9.999, steps=500), request("b", 10.0)], horizon_seconds=10
    )
    assert [one.name for one in day.served] == ["a"]
    assert day.seconds == day.served[0].finished_seconds > 10
