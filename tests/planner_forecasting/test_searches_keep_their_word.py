"""Every search, exact or not: what it finds, what it forgets, and that it finds the same again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remoe_planner.forecasting.approximate_index import (
    ApproximateIndex,
    ApproximateKnobs,
    index_for,
)
from remoe_planner.forecasting.cluster_tree import ClusterTree, TreeKnobs
from remoe_planner.forecasting.exact_index import ExactIndex
from remoe_planner.forecasting.similarity import unit_rows

INDEXES = [ExactIndex, ClusterTree, ApproximateIndex]


def units(count, *, seed=0, width=8):
    """Directions around ten centers."""
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(99).normal(size=(10, width))
    return unit_rows(centers[rng.integers(0, 10, count)] + 0.4 * rng.normal(size=(count, width)))


@given(count=st.integers(1, 120), alpha=st.integers(1, 40), seed=st.integers(0, 1000))
@settings(deadline=None)
def test_the_exact_search_is_numpys_brute_force(count, alpha, seed):
    held, asked = units(count, seed=seed), units(1, seed=seed + 1)[0]
    rows, cosines = ExactIndex(held).nearest(asked, alpha)
    expected = np.argsort(-(held @ asked), kind="stable")[:alpha]
    assert rows.tolist() == expected.tolist()
    assert np.allclose(cosines, (held @ asked)[expected])


def test_of_equal_cosines_the_older_rows_are_found():
    held = np.repeat(units(1), 50, axis=0)
    assert ExactIndex(held).nearest(held[0], 3)[0].tolist() == [0, 1, 2]


@given(count=st.integers(1, 400), alpha=st.integers(1, 30), beta=st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_the_tree_gives_as_many_as_asked_where_there_are_that_many(count, alpha, beta):
    rows, cosines = ClusterTree(units(count), TreeKnobs(beta=beta)).nearest(
        units(1, seed=3)[0], alpha
    )
    assert len(np.unique(rows)) == len(rows) == min(alpha, count)
    assert np.all(np.diff(cosines) <= 0)


@given(
    steps=st.lists(st.tuples(st.sampled_from(["put", "remove"]), st.integers(0, 30)), max_size=40)
)
@settings(max_examples=30, deadline=None)
def test_whatever_is_put_and_removed_the_exact_search_holds_what_is_left(steps):
    fresh = units(100, seed=5)
    index, left = ExactIndex(units(3)), dict(enumerate(units(3)))
    rows = 3
    for i, (verb, row) in enumerate(steps):
        if verb == "put":
            row = min(row, rows)
            index.put(row, fresh[i])
            left[row] = fresh[i]
            rows = max(rows, row + 1)
        else:
            index.remove(row)
            left.pop(row, None)
    asked = units(1, seed=7)[0]
    found, _ = index.nearest(asked, 100)
    assert sorted(found.tolist()) == sorted(left)
    assert all(np.diff([-(left[r] @ asked) for r in found.tolist()]) >= -1e-6)


@pytest.mark.parametrize("make", INDEXES)
def test_a_removed_prompt_is_never_found_and_a_put_one_is(make):
    held, new = units(300), units(1, seed=8)[0]
    index = make(held)
    index.remove(17)
    assert 17 not in index.nearest(held[17], 30)[0]
    index.put(17, new)
    index.put(300, -new)
    assert index.nearest(new, 1)[0].tolist() == [17]
    assert index.nearest(-new, 1)[0].tolist() == [300]
    index.remove(10_000)


@pytest.mark.parametrize("make", INDEXES)
def test_a_row_beyond_the_next_or_a_vector_of_another_width_is_refused(make):
    index = make(units(20))
    with pytest.raises(ValueError, match="row must be"):
        index.put(22, units(1)[0])
    with pytest.raises(ValueError, match="vector must have shape"):
        index.nearest(np.ones(3, np.float32), 5)


@pytest.mark.parametrize("make", INDEXES)
def test_the_same_vectors_and_seed_find_the_same(make):
    held, asked = units(2000), units(20, seed=4)
    first, second = make(held), make(held)
    for query in asked:
        assert first.nearest(query, 15)[0].tolist() == second.nearest(query, 15)[0].tolist()
    assert first.nbytes == second.nbytes > 0


def test_the_approximate_search_finds_most_and_more_with_more_probes():
    held, asked = units(4000, width=32), units(40, seed=4, width=32)
    exact = ExactIndex(held)

    def recall(probes):
        index = ApproximateIndex(held, ApproximateKnobs(probes=probes))
        found = [
            len(np.intersect1d(index.nearest(q, 15)[0], exact.nearest(q, 15)[0])) for q in asked
        ]
        return np.mean(found) / 15

    assert recall(1) < recall(64)
    assert recall(64) > 0.9


def test_the_approximate_search_holds_a_quarter_of_the_bytes():
    held = units(4000, width=256)
    assert ApproximateIndex(held).nbytes < 0.5 * ExactIndex(held).nbytes


def test_few_prompts_are_searched_exactly_and_many_approximately():
    held = units(50)
    assert isinstance(index_for(held, exact_most=50), ExactIndex)
    assert isinstance(index_for(held, exact_most=49), ApproximateIndex)
    assert isinstance(index_for(held[:0], exact_most=0), ExactIndex)


def test_centers_without_vectors_are_refused():
    with pytest.raises(ValueError, match="units must hold"):
        ApproximateIndex(units(1)[:0])


@pytest.mark.parametrize("knob", [{"probes": 0}, {"cells": 0}, {"bits": 5}])
def test_a_knob_out_of_bounds_is_named(knob):
    with pytest.raises(ValueError, match=next(iter(knob))):
        ApproximateKnobs(**knob)
