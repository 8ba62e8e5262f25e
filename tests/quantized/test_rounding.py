"""Weights survive rounding within what their bits allow, and always in the same way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from remoe_functions.checkpoint.block_values import scale_values, values_of
from remoe_functions.checkpoint.blocks import BLOCK, BlockFormat, BlockTensor
from remoe_functions.quantized.rounding import rounded

MADE = (BlockFormat.Q8, BlockFormat.Q4)
WEIGHTS = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, max_side=70),
    elements=st.floats(-(2.0**49), 2.0**49, width=32),
)


def made(weights, precision):
    result = rounded(weights, precision)
    return BlockTensor(
        format=precision,
        codes=result.codes,
        scales=result.scales,
        out_size=weights.shape[0],
        in_size=weights.shape[1],
    )


def relative_error(weights, precision):
    difference = values_of(made(weights, precision)) - weights
    return np.linalg.norm(difference) / np.linalg.norm(weights)


@settings(max_examples=60, deadline=None)
@given(WEIGHTS)
def test_eight_bits_are_off_by_half_a_step_at_most(weights):
    tensor = made(weights, BlockFormat.Q8)
    assert values_of(tensor).shape == weights.shape
    steps = np.repeat(scale_values(tensor), BLOCK, axis=1)[:, : weights.shape[1]]
    assert (np.abs(values_of(tensor) - weights) <= 0.5001 * steps + 1e-17).all()


@settings(max_examples=60, deadline=None)
@given(WEIGHTS)
def test_four_bits_are_never_worse_than_their_widest_step(weights):
    tensor = made(weights, BlockFormat.Q4)
    table = np.array(BlockFormat.Q4.table)
    assert tensor.codes.shape == BlockFormat.Q4.code_shape(*weights.shape)
    peaks = np.abs(np.pad(weights, ((0, 0), (0, -weights.shape[1] % BLOCK)))).reshape(
        len(weights), -1, BLOCK
    )
    bound = np.repeat(peaks.max(axis=2), BLOCK, axis=1)[:, : weights.shape[1]]
    widest = np.diff(table).max() / 113
    assert (np.abs(values_of(tensor) - weights) <= 1.3 * widest * bound + 1e-17).all()


@pytest.mark.parametrize(("precision", "bound"), [("q8", 0.0057), ("q4", 0.076)])
def test_error_on_normal_weights_is_what_was_measured(precision, bound):
    weights = np.random.default_rng(0).standard_normal((256, 512), dtype=np.float32)
    assert relative_error(weights, BlockFormat(precision)) < bound


def test_finer_steps_near_zero_beat_even_ones():
    """Why four bits go through a table: even steps of a block's range do worse at the same size."""
    weights = np.random.default_rng(1).standard_normal((256, 512), dtype=np.float32)
    blocks = weights.reshape(-1, BLOCK)
    step = np.abs(blocks).max(axis=1, keepdims=True) / 7
    even = np.rint(blocks / step) * step
    even_error = np.linalg.norm(even - blocks) / np.linalg.norm(blocks)
    assert relative_error(weights, BlockFormat.Q4) < 0.85 * even_error


@pytest.mark.parametrize("precision", MADE)
def test_zeros_stay_zeros(precision):
    assert (values_of(made(np.zeros((3, 65), np.float32), precision)) == 0).all()


@pytest.mark.parametrize("precision", MADE)
@pytest.mark.parametrize("weight", [np.nan, np.inf, -np.inf, 1e16])
def test_weights_that_no_scale_holds_are_refused(precision, weight):
    weights = np.ones((2, 40), np.float32)
    weights[1, 33] = weight
    with pytest.raises(ValueError, match=r"finite and at most 1e\+15"):
        rounded(weights, precision)


def test_formats_that_are_not_made_here_are_refused():
    with pytest.raises(ValueError, match="precision must be one of q8, q4, got mxfp4"):
        rounded(np.ones((1, 32), np.float32), BlockFormat.MXFP4)
