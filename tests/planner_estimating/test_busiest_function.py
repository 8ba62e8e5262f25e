"""What a layer waits for where its picks fall on several functions."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from builders.estimating_world import architecture, least_used, machine, routing
from hypothesis import given, settings
from hypothesis import strategies as st

from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.estimating.estimate_plan import estimate_plan
from remoe_planner.grouping import Grouping
from remoe_planner.latency.busiest import busiest_picks, meeting_chance
from remoe_planner.memory import MIB
from remoe_planner.offerings import MemoryGrid, Offerings


@pytest.mark.parametrize("bins", [1, 2, 3, 5])
def test_the_busiest_of_equal_functions_is_what_trying_everything_says(bins):
    for picks in range(5):
        every = product(range(bins), repeat=picks)
        most = [np.bincount(fell, minlength=bins).max() if picks else 0 for fell in every]
        assert busiest_picks(4, 1 / bins)[picks] == pytest.approx(np.mean(most))


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 10))
@settings(deadline=None)
def test_picks_that_meet_more_often_wait_longer(one, other, top_k):
    few, many = (busiest_picks(top_k, close) for close in sorted((one, other)))
    assert np.all(few <= many + 1e-12)
    assert np.all(few >= np.minimum(np.arange(top_k + 1), 1) - 1e-12)
    assert np.all(many <= np.arange(top_k + 1) + 1e-12)


def test_picks_of_experts_in_functions_of_their_own_never_meet():
    shares = np.array([0.5, 0.3, 0.2])
    own = np.array([(shares**2).sum()])
    assert meeting_chance(own, own) == pytest.approx([0.0])
    assert meeting_chance(np.array([1.0]), own) == pytest.approx([1.0])


def test_a_function_for_each_expert_works_on_one_pick_at_a_time():
    model = architecture(layers=2, experts=6, top_k=3)
    spread = routing(model, skew=50.0)
    given = {
        "routing": spread,
        "workload": Workload(requests_per_second=1e3),
        "profile": machine(),
        "offerings": Offerings(
            function_memory=MemoryGrid(least_bytes=1024 * MIB, most_bytes=1024 * MIB),
            main_keep_alive_seconds=None,
        ),
        "slo": Slo(),
    }
    apart, together = (
        estimate_plan(
            least_used(model, spread, 1.0, functions=count, grouping=Grouping.BY_USE), **given
        ).tpot_terms["waiting for functions"]
        for count in (12, 1)
    )
    assert apart < together / 2
