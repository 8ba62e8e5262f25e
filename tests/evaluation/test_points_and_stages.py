from dataclasses import replace

import numpy as np
import pytest
from builders.tiny_stage import a_stage
from evaluation.comparison import compared, entrants
from evaluation.playing import billed_at, played, warm
from evaluation.point import Grid, Load, Point
from evaluation.ratios import CENTRE, points
from evaluation.stage import arriving

from remoe_planner.billing import Billing
from remoe_simulator.contender import ContenderName, Waking
from remoe_simulator.contenders.planned import printed
from remoe_simulator.contenders.resident import mixed

pytestmark = pytest.mark.slow

SHORT = Point(prompt_tokens=20, output_tokens=12)
RARE = Load(name="rare", requests_per_second=1 / 400)


def test_centre_stands_in_every_sweep():
    by_sweep = {}
    for sweep, point in points(quick=False):
        by_sweep.setdefault(sweep, []).append(point)

    assert set(by_sweep) == {"ratio", "price", "slo", "grid"}
    assert all(CENTRE in several for several in by_sweep.values())


def test_sweeps_change_nothing_but_what_they_are_named_after():
    changed = {"price": "price_ratio", "slo": "slo_multiple", "grid": "grid"}
    for sweep, point in points(quick=False):
        if sweep in changed:
            name = changed[sweep]
            assert replace(point, **{name: getattr(CENTRE, name)}) == CENTRE


def test_wide_grid_rents_larger_functions_than_the_paper():
    architecture = a_stage().architecture
    wide = Point().offerings(architecture)
    paper = Point(grid=Grid.PAPER).offerings(replace(architecture, name="gpt2-moe"))

    assert wide.function_memory.most_bytes > paper.function_memory.most_bytes


def test_planner_is_never_told_of_the_test_side():
    stage = a_stage()
    before = stage.setting(SHORT).routing
    other = a_stage()
    for row in other.sides.test:
        other.trace.records[row] = replace(
            other.trace.records[row], prompt=np.zeros_like(other.trace.records[row].prompt)
        )
    after = other.setting(SHORT).routing

    np.testing.assert_array_equal(before.prefill, after.prefill)
    np.testing.assert_array_equal(before.decode, after.decode)


def test_mix_keeps_promises_of_itself_and_a_little():
    stage = a_stage()
    point = replace(SHORT, slo_multiple=1.25)
    slo = stage.setting(point).slo

    day = stage.day(warm(mixed(stage.setting(point))), arriving(6, point, 0))

    assert day.share_inside(slo) == 1


def test_promises_under_a_load_that_sleeps_include_cold_starts():
    stage = a_stage()
    awake = stage.setting(SHORT).slo.ttft_seconds
    sleeping = stage.setting(replace(SHORT, load=RARE, billing=Billing.AWAKE)).slo.ttft_seconds

    assert sleeping > awake + 10


def test_no_promise_is_made_where_none_is_asked_for():
    slo = a_stage().setting(replace(SHORT, slo_multiple=None)).slo

    assert slo.ttft_seconds is None
    assert slo.tpot_seconds is None


def test_everybody_serves_the_same_requests():
    stage = a_stage()
    arrivals = arriving(4, SHORT, 0)
    first, again = (list(stage.requests(arrivals)) for _ in range(2))

    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.answer_picks, other.answer_picks)


def test_bill_at_its_own_prices_is_the_bill():
    stage = a_stage()
    one = mixed(stage.setting(SHORT))
    day = stage.day(one, arriving(3, SHORT, 0))

    assert billed_at(day, one.prices) == day


def test_doubled_prices_double_the_bill():
    stage = a_stage()
    one = mixed(stage.setting(SHORT))
    day = stage.day(one, arriving(3, SHORT, 0))
    prices = one.prices
    double = replace(
        prices,
        main_gib_second=2 * prices.main_gib_second,
        gpu_gib_second=2 * prices.gpu_gib_second,
    )

    assert billed_at(day, double).busy.cost == pytest.approx(2 * day.busy.cost)
    assert billed_at(day, double).awake.cost == pytest.approx(2 * day.awake.cost)


def test_resident_contender_is_simulated_once_for_all_prices():
    stage = a_stage()
    cheap, dear = (mixed(stage.setting(replace(SHORT, price_ratio=ratio))) for ratio in (3.0, 10.0))

    assert played(cheap) == played(dear)


def test_forecasting_contender_is_simulated_anew_at_other_prices():
    stage = a_stage()
    setting = stage.setting(replace(SHORT, load=RARE, billing=Billing.AWAKE, slo_multiple=4.0))
    one = next(one for _, one, _ in entrants(setting, [ContenderName.PRINTED]))
    dearer = replace(one, prices=replace(one.prices, function_gib_second=1.0))

    assert one.plan.functions
    assert one.waking is Waking.FORECAST
    assert played(one) != played(dearer)


def test_warm_contender_keeps_every_replica():
    stage = a_stage()
    one = warm(printed(stage.setting(replace(SHORT, slo_multiple=4.0))))

    day = stage.day(one, arriving(2, SHORT, 0))

    assert one.plan.functions
    assert day.function_starts == 0
    assert all(served.borrowed_experts == 0 for served in day.served)


def test_rows_compare_everybody_with_ours():
    rows = compared(a_stage(), SHORT, arriving(2, SHORT, 0))
    ours_row = next(row for row in rows if row["contender"] == "Remoe")

    assert [row["contender"] for row in rows][: len(ContenderName)] == list(map(str, ContenderName))
    assert ours_row["cost_over_ours"] == 1
    for row in rows:
        expected = row["usd_per_request"] / ours_row["usd_per_request"]
        assert row["cost_over_ours"] == pytest.approx(expected)


def test_who_can_rent_nothing_says_so_and_costs_nothing_known():
    stage = a_stage()
    setting = stage.setting(SHORT)
    tiny = replace(
        setting.offerings.main_memory, most_bytes=setting.offerings.main_memory.least_bytes
    )
    small = replace(
        setting,
        offerings=replace(setting.offerings, main_memory=tiny, function_memory=tiny),
    )

    (_, one, note), *_ = entrants(small, [ContenderName.OURS])

    assert one is None
    assert note.startswith("Nothing that it could rent")
