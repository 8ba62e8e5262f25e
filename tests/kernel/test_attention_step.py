"""A layer's attention for one new token a slot, against the same in float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders.attention_layers import Batch, Layer, Shape, answer, expected, numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from remoe_functions.kernel.attention import Routing
from remoe_functions.kernel.machine import available, native_available

pytestmark = pytest.mark.skipif(not native_available().available, reason="no native kernel here")
SETS = available() if native_available().available else ()
EXACT, HALVED = 2e-5, 4e-2


@st.composite
def shapes(draw):
    key_heads = draw(st.integers(1, 3))
    experts = draw(st.integers(1, 70))
    return Shape(
        hidden=draw(st.sampled_from([1, 24, 67, 130, 576])),
        heads=key_heads * draw(st.integers(1, 5)),
        key_heads=key_heads,
        size=2 * draw(st.sampled_from([1, 6, 16, 32, 40])),
        experts=experts,
        top_k=draw(st.integers(1, min(4, experts))),
        halved=draw(st.booleans()),
        biased=draw(st.booleans()),
        norms=draw(st.sampled_from(["none", "each", "whole"])),
        window=draw(st.sampled_from([None, 1, 3, 16, 100])),
        clip=draw(st.sampled_from([float("inf"), 0.7])),
        sums_to_one=draw(st.booleans()),
        routed=draw(st.booleans()),
    )


def batches(least=1):
    return st.lists(st.integers(0, 39), min_size=least, max_size=9)


@settings(max_examples=60, deadline=None)
@given(shapes(), batches(), st.sampled_from(SETS), st.integers(1, 3), st.integers(0, 99))
def test_every_row_is_what_float64_says(shape, positions, instructions, threads, seed):
    layer, batch = Layer(shape, seed), Batch.of(shape, positions, seed)
    got = answer(layer, batch, threads=threads, instructions=instructions)
    close = HALVED if shape.halved else EXACT
    for row, position in enumerate(positions):
        state, following, key, value, odds = expected(layer, batch, row)
        size = np.abs(state).max() + 1
        np.testing.assert_allclose(got.rows[row], state, atol=close * size)
        np.testing.assert_allclose(numbers(got.normed)[row], following, atol=close * size, rtol=0.1)
        for kept, wanted in ((got.keys, key), (got.values, value)):
            found = numbers(kept)[row, :, position]
            np.testing.assert_allclose(found, wanted, atol=close * (np.abs(wanted).max() + 1))
        if shape.routed:
            check_routing(shape, got, row, odds, tolerance=10 * close)


def check_routing(shape, got, row, odds, tolerance):
    chosen, shares = got.chosen[row].astype(int), got.shares[row]
    assert len(set(chosen)) == shape.top_k
    best = np.sort(odds)[::-1][: shape.top_k]
    np.testing.assert_allclose(odds[chosen], best, atol=tolerance)
    whole = odds[chosen].sum() if shape.sums_to_one else 1.0
    np.testing.assert_allclose(shares, odds[chosen] / whole, atol=2 * tolerance)


@settings(max_examples=40, deadline=None)
@given(shapes(), batches(least=2), st.sampled_from(SETS), st.integers(0, 99))
def test_a_row_gets_the_same_bits_alone_in_company_and_in_threads(shape, positions, its, seed):
    layer, batch = Layer(shape, seed), Batch.of(shape, positions, seed)
    together = answer(layer, batch, threads=3, instructions=its)
    for row in range(len(positions)):
        alone = answer(layer, batch.of_row(row), threads=1, instructions=its)
        assert together.row(row) == alone.row(0)


@pytest.mark.parametrize("halved", [False, True])
def test_many_rows_get_the_same_bits_as_each_alone(halved):
    shape = Shape(hidden=96, experts=70, halved=halved)
    layer, batch = Layer(shape), Batch.of(shape, [index % 40 for index in range(150)])
    together = answer(layer, batch, threads=2)
    for row in (0, 63, 64, 149):
        assert together.row(row) == answer(layer, batch.of_row(row)).row(0)


@pytest.mark.parametrize("halved", [False, True])
def test_only_the_new_tokens_places_are_written(halved):
    shape = Shape(halved=halved)
    batch = Batch.of(shape, [0, 7, 39])
    got = answer(Layer(shape), batch)
    for before, after in ((batch.keys, got.keys), (batch.values, got.values)):
        changed = (before != after).any(axis=(1, 3))
        assert [np.flatnonzero(row).tolist() for row in changed] == [[0], [7], [39]]


def test_what_is_kept_beyond_a_rows_tokens_and_window_does_not_matter():
    shape = Shape(window=3)
    batch = Batch.of(shape, [20])
    before = answer(Layer(shape), batch)
    for kept in (batch.keys, batch.values):
        kept[:, :, :18], kept[:, :, 21:] = np.nan, np.nan
    assert np.array_equal(answer(Layer(shape), batch).rows, before.rows)


@pytest.mark.parametrize("spoiled", [np.nan, np.inf])
def test_a_row_that_is_no_numbers_spoils_no_other_and_still_has_experts(spoiled):
    shape = Shape(top_k=3)
    batch = Batch.of(shape, [3, 9, 11])
    batch.rows[1, 5] = spoiled
    got = answer(Layer(shape), batch)
    assert np.isfinite(got.rows).all(axis=1).tolist() == [True, False, True]
    assert len(set(got.chosen[1].tolist())) == 3
    assert got.chosen.max() < shape.experts


def test_of_equal_experts_the_first_are_chosen():
    shape = Shape(top_k=3)
    layer = Layer(shape)
    layer.arrays["router"][:] = 0
    got = answer(layer, Batch.of(shape, [4]))
    assert got.chosen.tolist() == [[0, 1, 2]]
    np.testing.assert_allclose(got.shares, 1 / 3, rtol=1e-6)


@pytest.mark.parametrize("position", [-1, 40])
def test_a_position_without_room_is_refused(position):
    shape = Shape()
    batch = Batch.of(shape, [0, 0])
    batch.positions[1] = position
    with pytest.raises(ValueError, match="positions must be 0 to 39"):
        answer(Layer(shape), batch)


def test_no_rows_are_refused():
    shape = Shape()
    with pytest.raises(ValueError, match="count must be >= 1, got 0"):
        answer(Layer(shape), Batch.of(shape, []))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 3}, "heads"),
        ({"key_heads": 0}, "heads"),
        ({"size": 11}, "size"),
        ({"size": 514}, "size"),
        ({"window": 0}, "window"),
    ],
)
def test_a_shape_that_does_not_fit_is_named(change, message):
    layer = Layer(Shape())
    layer.shape = replace(layer.shape, **change)
    with pytest.raises(ValueError, match=f"^{message} "):
        layer.native()


@pytest.mark.parametrize("top_k", [0, 7])
def test_more_experts_than_there_are_cannot_be_chosen(top_k):
    with pytest.raises(ValueError, match="top_k must be 1 to 6"):
        Routing(experts=6, top_k=top_k, shares_sum_to_one=True)


@pytest.mark.parametrize("threads", [0, 257])
def test_threads_that_cannot_be_are_named(threads):
    with pytest.raises(ValueError, match="threads must be 1 to 256"):
        Layer(Shape()).native(threads=threads)
