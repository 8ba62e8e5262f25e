"""A linear layer for few rows: what float64 says, normed first where wished, in every format."""

from __future__ import annotations

import numpy as np
import pytest
from builders.attention_layers import halves, numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from remoe_functions.kernel.layout import Format
from remoe_functions.kernel.linear import Linear
from remoe_functions.kernel.machine import available, native_available
from remoe_functions.kernel.norm import NO_NORM, Norm

pytestmark = pytest.mark.skipif(not native_available().available, reason="no native kernel here")
SETS = available() if native_available().available else ()


def layer(matrix, norm=NO_NORM, **fields):
    outputs, inputs = matrix.shape
    given = {
        "weights": matrix.ctypes.data,
        "format": Format.BF16 if matrix.dtype == np.uint16 else Format.F32,
        "bias": 0,
        "norm": norm,
        "inputs": inputs,
        "outputs": outputs,
        "wide": True,
        "threads": 2,
        "instructions": available()[0],
    }
    return Linear(**given | fields)


def product(linear, rows):
    out = np.zeros((len(rows), linear.outputs), rows.dtype)
    linear.forward(rows.ctypes.data, len(rows), out.ctypes.data)
    return out


@settings(max_examples=40, deadline=None)
@given(
    inputs=st.integers(1, 200),
    outputs=st.integers(1, 200),
    count=st.integers(1, 70),
    halved=st.booleans(),
    wide=st.booleans(),
    normed=st.booleans(),
    its=st.sampled_from(SETS),
    seed=st.integers(0, 99),
)
def test_rows_give_their_product_and_the_same_bits_alone(
    inputs, outputs, count, halved, wide, normed, its, seed
):
    draw = np.random.default_rng(seed)
    drawn = draw.normal(0, inputs**-0.5, (outputs, inputs)).astype(np.float32)
    weights = halves(drawn) if halved else drawn
    rows = draw.normal(0, 1, (count, inputs)).astype(np.float32)
    rows = rows if wide else halves(rows)
    bias, weight = draw.normal(0, 1, (2, max(inputs, outputs))).astype(np.float32)
    norm = Norm(weight=weight.ctypes.data, epsilon=1e-6) if normed else NO_NORM
    linear = layer(weights, norm, bias=bias.ctypes.data, wide=wide, instructions=its)
    got = product(linear, rows)
    x = numbers(rows)
    if normed:
        x = x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-6) * weight[:inputs]
    wanted = x @ numbers(weights).T + bias[:outputs]
    close = 1e-5 if wide and not halved else 3e-2
    np.testing.assert_allclose(numbers(got), wanted, atol=close * (np.abs(wanted).max() + 1))
    last = rows[-1:].copy()
    assert product(linear, last).tobytes() == got[-1].tobytes()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"threads": 0}, "threads must be 1 to 256"),
        ({"weights": 0}, "weights must be a matrix"),
        ({"outputs": 0}, "weights must be a matrix"),
        ({"format": Format.F16}, "format must be BF16 or F32, got F16"),
    ],
)
def test_what_is_no_linear_layer_is_named(fields, message):
    with pytest.raises(ValueError, match=message):
        layer(np.zeros((3, 4), np.float32), **fields)


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="count must be >= 1, got 0"):
        product(layer(np.zeros((3, 4), np.float32)), np.zeros((0, 4), np.float32))
