"""A proposal says what both plans cost under the use of late, and what the way there takes."""

import numpy as np
import pytest
from planner_fast_loop.loop_world import EXPERTS, LAYERS, architecture

from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.fast_loop.drift import DriftKnobs, Keep, Planned, Replan, Watch, look
from remoe_planner.fast_loop.proposing import Service, proposal
from remoe_planner.fast_loop.usage import RunningUsage
from remoe_planner.hardware.curve import Curve
from remoe_planner.hardware.expert_time import ExpertTime
from remoe_planner.hardware.profile import CallTime, HardwareProfile, StartTime
from remoe_planner.least_used import plan_least_used
from remoe_planner.offerings import Offerings


def service(**slo):
    row = Curve(rows=(1, 64), seconds=(0.001, 0.02))
    profile = HardwareProfile(
        name="stated",
        source="a test",
        measured=False,
        module=Curve(rows=(1, 64), seconds=(0.001, 0.01)),
        step=Curve.nothing(),
        local_expert=ExpertTime.on_one_core(row),
        remote_expert=ExpertTime.on_one_core(row),
        call=CallTime(mean_seconds=0.02, main_seconds=0.001),
        main_start=StartTime(seconds=2.0, bytes_per_second=1e9),
        function_start=StartTime(seconds=1.0, bytes_per_second=1e9),
    )
    return Service(
        workload=Workload(requests_per_second=0.1),
        profile=profile,
        offerings=Offerings(main_keep_alive_seconds=None),
        slo=Slo(**slo),
    )


def spread(busy):
    """Most of the use on these experts."""
    shares = np.full((LAYERS, EXPERTS), 0.02)
    shares[:, busy] = 1.0
    return shares / shares.sum(axis=1, keepdims=True)


MORNING, EVENING = spread([0, 1, 2, 3]), spread([4, 5, 6, 7])


def routing(shares):
    empty = np.zeros((0, LAYERS, EXPERTS), np.uint32)
    return Routing(
        prefill=shares, decode=shares, samples=empty, sample_tokens=np.zeros(0, np.uint32)
    )


def planned(shares):
    return plan_least_used(architecture(), shares, remote_share=0.5, functions=2)


def test_plan_for_the_use_of_late_is_cheaper_than_one_for_another():
    found = proposal(planned(MORNING), planned(EVENING), routing(EVENING), service())
    assert found.saving_per_hour > 0
    assert found.change.main_restarts
    assert found.gain(1e6) > 0 > found.gain(0.0)


def test_same_plan_saves_and_costs_nothing():
    found = proposal(planned(MORNING), planned(MORNING), routing(MORNING), service())
    assert found.saving_per_hour == 0
    assert found.change.cost == 0


def test_plan_that_keeps_a_promise_the_old_one_breaks_is_a_rescue():
    bound = service().estimate(planned(MORNING), routing(EVENING)).latency
    tight = service(tpot_seconds=bound.tpot_at_percentile_seconds * 0.9)
    found = proposal(planned(MORNING), planned(EVENING), routing(EVENING), tight)
    assert found.rescues_slo
    assert not proposal(planned(EVENING), planned(MORNING), routing(EVENING), tight).rescues_slo


@pytest.mark.parametrize(("spread_now", "verdict"), [(MORNING, Keep), (EVENING, Replan)])
def test_whole_loop_replans_for_a_new_topic_alone(spread_now, verdict):
    rng, world, before = np.random.default_rng(0), service(), planned(MORNING)
    force = Planned(shares=MORNING, requests=500.0, at=-1e6)
    # The main model never sleeps and is most of the cost, so any gain at all is enough here.
    usage, watch, now = RunningUsage.nothing((LAYERS, EXPERTS)), Watch(), 0.0
    for _ in range(400):
        now += 10.0
        counts = np.stack([rng.multinomial(200, row) for row in spread_now]).astype(float)
        usage = usage.after(counts, force.shares)
        found, watch = look(
            watch,
            usage,
            force,
            now=now,
            propose=lambda use: proposal(before, planned(use.prefill), use, world),
            knobs=DriftKnobs(margin=0.0),
        )
        if isinstance(found, Replan):
            break
    assert isinstance(found, verdict)
