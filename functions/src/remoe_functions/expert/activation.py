"""The non-linearities of experts, in float32, as transformers computes them.

Overflow inside them is meant (`exp` of a large number ends in a gate of zero); the kernel computes
under `np.errstate`, and NaN and infinity pass through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from remoe_functions.checkpoint.ffn import Activation, FfnForm
from remoe_functions.expert.precision import Float32

_TANH_SCALE = np.float32(np.sqrt(2.0 / np.pi))
# Numerical Recipes' erfc (section 6.2): relative error below 1.2e-7 everywhere, float32's own.
_ERFC = (
    0.17087277,
    -0.82215223,
    1.48851587,
    -1.13520398,
    0.27886807,
    -0.18628806,
    0.09678418,
    0.37409196,
    1.00002368,
    -1.26551223,
)


def silu(x: Float32) -> Float32:
    """`x * sigmoid(x)`."""
    result: Float32 = x / (1 + np.exp(-x))
    return result


def gelu(x: Float32) -> Float32:
    """`x * Phi(x)`, by the error function (which numpy lacks)."""
    z = np.abs(x).astype(np.float64) / np.sqrt(2.0)
    t = 1 / (1 + 0.5 * z)
    tail = 0.5 * t * np.exp(np.polyval(_ERFC, t) - z * z)
    result: Float32 = (x * np.where(x < 0, tail, 1 - tail)).astype(np.float32)
    return result


def gelu_tanh(x: Float32) -> Float32:
    """GELU by its tanh approximation."""
    inner = _TANH_SCALE * (x + np.float32(0.044715) * x * x * x)
    result: Float32 = np.float32(0.5) * x * (1 + np.tanh(inner))
    return result


def relu(x: Float32) -> Float32:
    """`max(x, 0)`."""
    return np.maximum(x, np.float32(0))


def relu2(x: Float32) -> Float32:
    """`max(x, 0) ** 2`."""
    return np.square(relu(x))


PLAIN: Mapping[Activation, Callable[[Float32], Float32]] = {
    Activation.SILU: silu,
    Activation.GELU: gelu,
    Activation.GELU_TANH: gelu_tanh,
    Activation.RELU: relu,
    Activation.RELU2: relu2,
}


def gated(form: FfnForm, gate: Float32, up: Float32) -> Float32:
    """What a gated expert makes of its two projections, each [n, intermediate]."""
    if form.activation is Activation.CLAMPED_SWIGLU:
        return _clamped_swiglu(form, gate, up)
    return PLAIN[form.activation](gate) * up


def _clamped_swiglu(form: FfnForm, gate: Float32, up: Float32) -> Float32:
    if form.limit is not None:
        limit = np.float32(form.limit)
        gate, up = np.minimum(gate, limit), np.clip(up, -limit, limit)
    slope = np.float32(form.alpha)
    result: Float32 = (up + 1) * (gate / (1 + np.exp(-slope * gate)))
    return result
