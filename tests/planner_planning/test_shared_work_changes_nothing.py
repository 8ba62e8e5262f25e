"""What is worked out once for many placements agrees with working it out for each."""

from __future__ import annotations

import numpy as np
import pytest
from builders.planning_worlds import a_profile, a_routing, a_world, an_architecture
from hypothesis import given
from hypothesis import strategies as st

from remoe_planner.latency.expert_work import ExpertWork
from remoe_planner.latency.prefill import expected_expert_seconds, hit_and_rows
from remoe_planner.memory import GIB
from remoe_planner.planning.marginal import least
from remoe_planner.planning.prefixes import Prefixes
from remoe_planner.planning.problem import Problem, ranked
from remoe_planner.planning.shapes import ranking


@given(st.floats(0.01, 40.0), st.lists(st.floats(0.0, 64.0), min_size=1, max_size=6))
def test_work_on_any_cores_is_that_of_the_expert_time(cores, rows):
    time, asked = a_profile().remote_expert, np.array(rows)
    expected = expected_expert_seconds(time.seconds, asked, cores, 64)
    work = ExpertWork.of(time, *hit_and_rows(asked, 64))
    assert work.seconds(cores) == pytest.approx(expected)
    assert work.seconds_on(cores) == pytest.approx(expected)


@given(st.floats(0.01, 40.0), st.lists(st.floats(0.0, 640.0), min_size=1, max_size=6))
def test_two_curves_are_enough_for_one_number_of_cores(cores, rows):
    time = a_profile().remote_expert
    near = time.near(cores)
    assert len(near.curves) <= 2
    assert near.seconds(rows, cores) == pytest.approx(time.seconds(rows, cores))


@given(st.lists(st.floats(0.0, 640.0), min_size=1, max_size=6))
def test_a_curve_read_row_by_row_is_the_curve_read_at_once(rows):
    for curve in a_profile().remote_expert.curves:
        assert [float(curve.at(row)) for row in rows] == pytest.approx(curve.at(rows).tolist())


@given(
    st.lists(st.floats(0.01, 40.0), min_size=3, max_size=3),
    st.lists(st.floats(0.0, 64.0), min_size=6, max_size=6),
)
def test_work_in_functions_is_that_on_their_cores(cores, rows):
    work = ExpertWork.of(a_profile().remote_expert, *hit_and_rows(np.array(rows), 64))
    homes = np.array([1, 2, 3, 3, 2, 1])
    expected = work.seconds(np.array(cores)[homes - 1])
    assert work.seconds_in(np.array(cores), homes) == pytest.approx(expected)


@given(st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=1, max_size=12))
def test_ties_are_ranked_by_index(values):
    found = ranked(np.array([values, values[::-1]]))
    assert found.tolist() == np.argsort([values, values[::-1]], axis=1, kind="stable").tolist()


def test_sums_over_the_least_used_are_those_of_the_experts():
    problem = Problem(**a_world(architecture=an_architecture(layers=3, experts=8)))
    counts = np.array([[0, 1, 1, 8], [0, 3, 5, 8], [0, 0, 4, 7]])
    sizes = np.array([GIB / 2, GIB, 4 * GIB])
    sums = Prefixes.of(problem, counts, sizes).typical
    work = problem.given.typical
    for layer, cut, size in np.ndindex(3, 4, 3):
        least = problem.order[layer, : counts[layer, cut]]
        seconds = work.remote.seconds(sizes[size] / GIB)[layer, least]
        assert sums.asked[layer, cut] == pytest.approx(work.rows[layer, least].sum())
        assert sums.local[layer, cut] == pytest.approx(
            work.local[layer].sum() - work.local[layer, least].sum()
        )
        assert sums.work[layer, cut, size] == pytest.approx(seconds.sum(), rel=1e-3)
        longest = seconds.max(initial=0.0)
        assert sums.longest[layer, cut, size] == pytest.approx(longest, rel=1e-3)


@pytest.mark.parametrize("experts", [4, 16, 64])
def test_samples_by_expert_are_the_samples(experts):
    architecture = an_architecture(layers=3, experts=experts)
    routing = a_world(architecture=architecture, routing=a_routing(architecture, samples=20))[
        "routing"
    ]
    counts, tokens = routing.by_expert(10)
    assert np.array_equal(counts, routing.samples[::2].transpose(1, 2, 0))
    assert np.array_equal(tokens, routing.sample_tokens[::2])


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, np.inf]), max_size=12), st.integers(1, 6))
def test_the_least_come_first_and_ties_by_index(values, count):
    found = least(np.array(values), count).tolist()
    assert found == np.argsort(np.array(values), kind="stable")[:count].tolist()


def test_the_ranking_keeps_the_order_of_every_layer():
    problem = Problem(**a_world(architecture=an_architecture(layers=3, experts=8)))
    ranks = np.take_along_axis(ranking(problem), problem.order, axis=1)
    assert np.all(np.diff(ranks, axis=1) > 0)
    assert sorted(ranks.ravel().tolist()) == list(range(24))
