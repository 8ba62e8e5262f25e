"""Tables conserve what they count, forget when asked or full, and never outgrow their bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planner_forecasting.routing_world import SHAPE, forecaster, prompts, routed

from remoe_planner.forecasting.count_table import CountTable
from remoe_planner.forecasting.recent_table import RecentTable

KEYS = st.lists(st.integers(0, 30), min_size=1, max_size=120)


def cells_of(count, seed=0):
    return routed(np.arange(count) % 17, noise=0.5, seed=seed).cells(SHAPE)


@given(keys=KEYS)
@settings(deadline=None)
def test_a_table_with_room_holds_every_assignment_it_was_given(keys):
    table = CountTable(SHAPE, capacity=256)
    array = np.array(keys, np.uint64)
    table.add(array, cells_of(len(keys)))
    distinct = np.unique(array)
    seen, counts, sums = table.lookup(distinct)
    assert seen.all()
    assert counts.sum() == len(keys) * SHAPE.picks
    assert np.array_equal(counts.sum(axis=2), sums)


@given(batches=st.lists(st.lists(st.integers(0, 5000), max_size=200), max_size=8))
@settings(max_examples=30, deadline=None)
def test_a_full_table_stays_within_its_capacity(batches):
    table = CountTable(SHAPE, capacity=128)
    recent = RecentTable(SHAPE, capacity=50, per_key=3)
    for i, keys in enumerate(batches):
        table.add(np.array(keys, np.uint64), cells_of(len(keys), i))
        recent.add(np.array(keys, np.uint64), cells_of(len(keys), i))
    assert len(table) <= 128
    assert len(recent) <= 50
    assert recent.nbytes <= 256 * (SHAPE.picks + 9)
    held = recent.arrays()["keys"]
    assert len(held) <= 50
    assert len(held) == 0 or np.unique(held, return_counts=True)[1].max() <= 3


def test_a_full_table_keeps_what_is_used_most():
    table = CountTable(SHAPE, capacity=128)
    often = np.zeros(50, np.uint64)
    table.add(often, cells_of(50))
    for start in range(1, 2000, 40):
        table.add(np.arange(start, start + 40, dtype=np.uint64), cells_of(40))
    assert table.find(np.zeros(1, np.uint64))[0] >= 0


def test_counts_beyond_a_byte_are_halved_and_keep_their_proportions():
    table = CountTable(SHAPE, capacity=128)
    cells = np.tile(routed([3]).cells(SHAPE), (64, 1))
    for _ in range(20):
        table.add(np.zeros(64, np.uint64), cells)
    _, counts, sums = table.lookup(np.zeros(1, np.uint64))
    assert np.array_equal(counts.sum(axis=2), sums)
    assert counts[counts > 0].min() == counts.max() > 100


def test_a_context_keeps_its_latest_routings():
    table = RecentTable(SHAPE, capacity=10, per_key=2)
    for token in (1, 2, 3):
        table.add(np.zeros(1, np.uint64), routed([token]).cells(SHAPE))
    _, counts, _ = table.lookup(np.zeros(1, np.uint64))
    expected = routed([2]).counts(SHAPE) + routed([3]).counts(SHAPE)
    assert np.array_equal(counts[0], expected)


def test_halving_lets_rare_evidence_go():
    table, recent = CountTable(SHAPE, capacity=128), RecentTable(SHAPE, capacity=10)
    for held in (table, recent):
        held.add(np.array([1, 2, 2, 2, 2], np.uint64), cells_of(5))
        held.halve()
    assert table.find(np.array([1], np.uint64))[0] == -1
    assert recent.lookup(np.array([1, 2], np.uint64))[0].tolist() == [False, True]
    assert recent.lookup(np.array([2], np.uint64))[2].max() == 2 * SHAPE.top_k


def test_state_stops_growing_when_its_tables_are_full():
    made = forecaster(words=128, tokens=128, pairs=128, triples=128)
    for prompt in prompts(150):
        made.observe(prompt)
    full = made.nbytes
    for prompt in prompts(150, seed=1):
        made.observe(prompt)
    assert made.nbytes == full


@pytest.mark.parametrize("name", ["words", "tokens", "pairs", "triples", "max_tokens"])
def test_a_bound_too_small_is_refused_by_name(name):
    with pytest.raises(ValueError, match=name):
        forecaster(**{name: 1})
