"""What computes an expert. Which rows go to which expert, and their sums, are `pairs`' matter."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from remoe_functions.checkpoint.ffn import ExpertWeights
from remoe_functions.checkpoint.tensors import MappedTensor
from remoe_functions.expert.activation import PLAIN, gated
from remoe_functions.expert.precision import Float32, widened
from remoe_functions.expert.projection import Projector


class ExpertKernel(Protocol):
    """The seam for whatever computes an expert's feed-forward network."""

    def forward(self, weights: ExpertWeights, rows: Float32) -> Float32:
        """Rows [n, hidden] through one expert, [n, hidden]; NaN and infinity pass through."""
        ...


class NumpyKernel:
    """numpy and BLAS: float32 arithmetic on weights as they lie. For one thread at a time."""

    def __init__(self) -> None:
        self._projector = Projector()

    def forward(self, weights: ExpertWeights, rows: Float32) -> Float32:
        """Rows [n, hidden] through one expert, [n, hidden]; NaN and infinity pass through."""
        with np.errstate(all="ignore"):
            inner = self._inner(weights, rows)
            return self._project(inner, weights, weights.down, weights.down_bias)

    def _inner(self, weights: ExpertWeights, rows: Float32) -> Float32:
        """[n, intermediate]: the up projection after the activation."""
        form = weights.form
        first = self._project(rows, weights, weights.up[0], weights.up_bias)
        if not form.gated:
            return PLAIN[form.activation](first)
        if not form.fused:
            return gated(form, first, self._project(rows, weights, weights.up[1], None))
        if form.interleaved:
            return gated(form, first[:, 0::2], first[:, 1::2])
        half = first.shape[1] // 2
        return gated(form, first[:, :half], first[:, half:])

    def _project(
        self, rows: Float32, weights: ExpertWeights, matrix: MappedTensor, bias: MappedTensor | None
    ) -> Float32:
        result = self._projector.project(rows, matrix, transposed=weights.form.transposed)
        if bias is not None:
            result += widened(bias.array, bias.dtype)
        return result
