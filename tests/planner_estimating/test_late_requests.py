"""What is promised at a percentile, beyond the mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders.estimating_world import architecture, least_used, machine, routing

from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.estimating.estimate_plan import estimate_plan
from remoe_planner.hardware.profile import StartTime
from remoe_planner.offerings import Offerings

MODEL = architecture()
SPREAD = routing(MODEL)


def late(share=0.5, **changes):
    return estimated(share, **changes).latency


def first_token(**changes):
    """At the percentile, without what other requests do to it."""
    found = estimated(**changes)
    return found.latency.ttft_at_percentile_seconds - found.load.line_at_percentile_seconds


def estimated(share=0.5, *, spread=SPREAD, percentile=0.95, rate=0.01, **changes):
    given = {
        "workload": Workload(requests_per_second=rate),
        "profile": machine(),
        "offerings": Offerings(main_keep_alive_seconds=None),
    }
    plan = least_used(MODEL, spread, share, functions=1)
    slo = Slo(percentile=percentile)
    return estimate_plan(plan, routing=spread, slo=slo, **given | changes)


def test_a_cold_start_counts_where_it_is_likelier_than_the_rest():
    asleep = Offerings(main_keep_alive_seconds=0.0)
    seldom, often = (
        late(rate=1e-6, offerings=asleep),
        late(rate=0.1, offerings=Offerings(main_keep_alive_seconds=60.0)),
    )
    assert seldom.cold_start_probability > 0.99
    assert seldom.ttft_at_percentile_seconds > seldom.cold_start_seconds > 3
    assert often.cold_start_probability < 0.01
    assert often.ttft_at_percentile_seconds < 3


def test_a_kept_main_model_never_starts_cold():
    assert late(rate=1e-6).cold_start_probability == 0
    assert late(rate=1e-6).cold_start_seconds == 0


def test_a_sleeping_function_adds_the_way_of_its_weights_and_not_its_start():
    given = {"offerings": Offerings(main_keep_alive_seconds=None, cores_per_gib=10.0)}
    awake, asleep = late(rate=0.1, **given), late(rate=1e-6, **given)
    weights = MODEL.expert_count / 2 * MODEL.expert_bytes / 1e9
    more = asleep.ttft_at_percentile_seconds - awake.ttft_at_percentile_seconds
    assert 0 < more < weights + 0.4


def test_weights_on_a_slow_way_are_waited_for_no_longer_than_the_function_starts():
    slow = replace(machine(), main_start=StartTime(seconds=3.0, bytes_per_second=1e5))
    given = {"offerings": Offerings(main_keep_alive_seconds=None), "profile": slow}
    awake, asleep = first_token(rate=0.1, **given), first_token(rate=1e-6, **given)
    start = slow.function_start.of(MODEL.expert_count / 2 * MODEL.expert_bytes)
    assert asleep - awake == pytest.approx(start)


def test_functions_that_start_beside_the_main_model_are_not_waited_for():
    slow = replace(machine(), main_start=StartTime(seconds=3.0, bytes_per_second=1e6))
    given = {"offerings": Offerings(main_keep_alive_seconds=60.0), "profile": slow}
    awake, asleep = first_token(rate=0.1, **given), first_token(rate=1e-6, **given)
    start = late(rate=1e-6, **given).cold_start_seconds
    assert asleep - awake == pytest.approx(start)


def test_a_higher_percentile_is_later():
    spread = routing(MODEL, requests=64, tokens=40)
    low, high = (late(spread=spread, percentile=p) for p in (0.6, 0.99))
    assert low.tpot_at_percentile_seconds < high.tpot_at_percentile_seconds
    assert low.ttft_at_percentile_seconds < high.ttft_at_percentile_seconds


def test_requests_that_differ_in_routing_spread_the_time_per_token():
    same = np.repeat(routing(MODEL, requests=1, tokens=400).samples, 40, axis=0)
    differing = same.copy()
    differing[::4, :, ::2] *= 9
    lengths = np.full(40, 400, np.uint32)
    one, other = (
        late(
            spread=Routing(
                prefill=SPREAD.prefill, decode=SPREAD.decode, samples=s, sample_tokens=lengths
            )
        )
        for s in (same, differing)
    )
    assert one.tpot_seconds == other.tpot_seconds
    assert one.tpot_at_percentile_seconds < other.tpot_at_percentile_seconds


def test_luck_of_calls_evens_out_over_an_answer():
    unlucky = machine()
    unlucky = replace(unlucky, call=replace(unlucky.call, deviation_seconds=5e-3))
    short, long = (
        late(
            profile=unlucky,
            workload=Workload(output_tokens=n, max_output_tokens=400, requests_per_second=1e-6),
        )
        for n in (4, 400)
    )
    excess = [each.tpot_at_percentile_seconds - each.tpot_seconds for each in (short, long)]
    assert excess[0] == pytest.approx(10 * excess[1], rel=0.2)
