from dataclasses import replace

import numpy as np
import pytest
from builders.tiny_stage import a_stage
from evaluation.accounting import account, starting_usd
from evaluation.azure import Arrivals
from evaluation.comparison import entrants
from evaluation.daily import Daily, contenders_of, memory_mean
from evaluation.day import point_of
from evaluation.omitted import LOADS
from evaluation.omitted import point_of as omitted_point
from evaluation.playing import warm
from evaluation.point import Load, Point
from evaluation.stage import arriving

from remoe_planner.billing import Billing
from remoe_simulator.contender import ContenderName
from remoe_simulator.contenders.planned import printed
from remoe_simulator.contenders.resident import mixed

pytestmark = pytest.mark.slow

POINT = replace(omitted_point(LOADS[1]), prompt_tokens=20, output_tokens=12)


def contender_of(stage, name):
    return next(one for _, one, _ in entrants(stage.setting(POINT), [name]))


@pytest.mark.parametrize("name", [ContenderName.MIX, ContenderName.PRINTED])
def test_parts_of_an_account_add_up_to_the_day_with_its_network(name):
    stage = a_stage()
    one, slo = contender_of(stage, name), stage.setting(POINT).slo
    arrivals = arriving(8, POINT, 0)

    spent = account(stage, one, arrivals, POINT.network, "mean", slo)

    belief = "mean" if one.plan.functions else None
    day = stage.day(one, arrivals, belief=belief)
    assert spent.total_usd == pytest.approx(day.awake.cost / 8)
    assert min(spent.busy_usd, spent.cold_start_usd, spent.idle_usd) > 0


def test_nothing_sleeps_nothing_starts():
    stage = a_stage()
    one = warm(contender_of(stage, ContenderName.PRINTED))
    day = stage.day(one, arriving(3, POINT, 0))

    assert starting_usd(day, one) == 0


def test_contender_without_functions_pays_for_no_network_and_no_fees():
    stage = a_stage()
    one, slo = contender_of(stage, ContenderName.MIX), stage.setting(POINT).slo
    spent = account(stage, one, arriving(4, POINT, 0), POINT.network, None, slo)

    assert spent.network_usd == 0
    assert spent.fees_usd == 0


def a_day(seconds=4000.0, count=12):
    chance = np.random.default_rng(1)
    return Arrivals(
        seconds=np.sort(chance.uniform(0, seconds, count)),
        prompt_tokens=chance.integers(10, 40, count),
        output_tokens=chance.integers(2, 20, count),
        said="made up",
    )


def daily(arrivals, seconds=4000.0, keep_alive=None):
    return Daily(a_stage(), "made up", arrivals, seconds, point_of(arrivals, seconds, keep_alive))


def test_what_always_stays_costs_its_memory_times_the_day():
    found = daily(a_day())
    row = found.row(*next(iter(contenders_of(found, ["MIX, always on"]))))
    plan = mixed(found.setting(always=True, slo=found.slo)).plan

    assert row["main_starts"] == 0
    held = plan.main_memory_bytes + plan.main_gpu_bytes
    assert row["memory_mean_bytes"] == pytest.approx(held, rel=1e-3)


def test_longer_keep_alive_never_starts_the_main_model_more_often():
    arrivals = a_day()
    starts = []
    for keep_alive in (10.0, 100.0, 1000.0):
        found = daily(arrivals, keep_alive=keep_alive)
        name, one = next(iter(contenders_of(found, ["MIX, scale to zero"])))
        starts.append(found.row(name, one)["main_starts"])

    assert starts == sorted(starts, reverse=True)
    assert starts[0] > starts[-1]


def test_everybody_is_measured_by_the_promise_of_mix_that_is_always_on():
    found = daily(a_day())
    rows = [found.row(name, one) for name, one in contenders_of(found)]

    assert len({row["slo_ttft_seconds"] for row in rows}) == 1
    always = next(row for row in rows if row["contender"] == "MIX, always on")
    assert always["inside_slo_share"] >= 0.9


def test_same_seed_gives_the_same_rows_twice():
    first, again = (
        [found.row(*each) for each in contenders_of(found)]
        for found in (daily(a_day()), daily(a_day()))
    )

    assert first == again


def test_mean_memory_of_a_part_of_the_day_is_that_part():
    stage = a_stage()
    load = Load(name="once", requests_per_second=1e-3, main_keep_alive_seconds=50.0)
    point = replace(Point(prompt_tokens=20, output_tokens=12), load=load, billing=Billing.AWAKE)
    one = mixed(stage.setting(replace(point, slo_multiple=None)))
    arrivals = a_day(count=1).part(slice(0, 1))

    day = stage.day(one, arrivals, horizon_seconds=4000.0)

    held = one.plan.main_memory_bytes + one.plan.main_gpu_bytes
    assert 50 * held < memory_mean(day) * 4000 < 100 * held


def test_printed_plan_is_made_of_functions_in_the_tiny_world():
    assert printed(a_stage().setting(POINT)).plan.functions
