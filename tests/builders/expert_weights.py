"""Experts of any form made of random numbers, and a plain float64 account of what they compute."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from remoe_functions.checkpoint.ffn import Activation, ExpertWeights, FfnForm
from remoe_functions.checkpoint.tensors import Dtype, MappedTensor

NUMPY = {
    Dtype.FLOAT32: np.dtype(np.float32),
    Dtype.FLOAT16: np.dtype(np.float16),
    Dtype.BFLOAT16: np.dtype(ml_dtypes.bfloat16),
}


def tensor(values, dtype=Dtype.FLOAT32):
    """A read-only tensor of these values, rounded to the type."""
    array = np.ascontiguousarray(values, dtype=NUMPY[dtype])
    array = array.view(dtype.storage)
    array.flags.writeable = False
    return MappedTensor.of(array, dtype)


def values(mapped):
    """A tensor's values in float64."""
    return mapped.array.view(NUMPY[mapped.dtype]).astype(np.float64)


def expert(form, *, hidden=12, intermediate=10, dtype=Dtype.FLOAT32, biased=False, seed=0):
    """A random expert of that form."""
    random = np.random.default_rng(seed)

    def matrix(out_size, in_size):
        weights = random.standard_normal((out_size, in_size)) / in_size**0.5
        return tensor(weights.T if form.transposed else weights, dtype)

    height = 2 * intermediate if form.fused else intermediate
    count = 2 if form.gated and not form.fused else 1
    return ExpertWeights(
        form=form,
        up=tuple(matrix(height, hidden) for _ in range(count)),
        down=matrix(hidden, intermediate),
        up_bias=tensor(random.standard_normal(height), dtype) if biased else None,
        down_bias=tensor(random.standard_normal(hidden), dtype) if biased else None,
    )


def computed_plainly(weights, rows):
    """What the expert makes of rows [n, hidden], in float64."""
    form, rows = weights.form, rows.astype(np.float64)
    turned = (lambda m: m) if form.transposed else (lambda m: m.T)
    ups = [rows @ turned(values(matrix)) for matrix in weights.up]
    if weights.up_bias is not None:
        ups = [ups[0] + values(weights.up_bias)]
    inner = _inner(form, ups)
    bias = 0 if weights.down_bias is None else values(weights.down_bias)
    return inner @ turned(values(weights.down)) + bias


def _inner(form, ups):
    if not form.gated:
        return _activated(form, ups[0])
    if form.fused:
        both = ups[0]
        half = both.shape[1] // 2
        ups = [both[:, ::2], both[:, 1::2]] if form.interleaved else np.split(both, [half], axis=1)
    gate, up = ups
    if form.activation is not Activation.CLAMPED_SWIGLU:
        return _activated(form, gate) * up
    limit = np.inf if form.limit is None else form.limit
    gate, up = np.minimum(gate, limit), np.clip(up, -limit, limit)
    return (up + 1) * gate / (1 + np.exp(-form.alpha * gate))


def _activated(form, x):
    from scipy.special import erf, expit

    return {
        Activation.SILU: lambda: x * expit(x),
        Activation.GELU: lambda: x * 0.5 * (1 + erf(x / np.sqrt(2))),
        Activation.GELU_TANH: lambda: (
            0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        ),
        Activation.RELU: lambda: np.maximum(x, 0),
        Activation.RELU2: lambda: np.maximum(x, 0) ** 2,
    }[form.activation]()


def form(activation=Activation.SILU, **fields):
    """A form with the activation's usual parameters."""
    if activation is Activation.CLAMPED_SWIGLU:
        fields = {"alpha": 1.702, "limit": 7.0} | fields
    return FfnForm(activation=activation, **fields)
