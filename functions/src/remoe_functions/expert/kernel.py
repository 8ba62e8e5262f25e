"""The seam for whatever computes experts, and the one that needs nothing but numpy.

The native kernel stands behind the same seam, in `native`; which of the two is used is decided in
`choice`. What a call may ask is judged before it comes here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from remoe_functions.checkpoint.blocks import Matrix
from remoe_functions.checkpoint.ffn import ExpertWeights
from remoe_functions.checkpoint.tensors import MappedTensor
from remoe_functions.expert.activation import PLAIN, gated
from remoe_functions.expert.pairs import Shares, TokenRows, Which, grouped
from remoe_functions.expert.precision import Float32, Float64, widened
from remoe_functions.expert.projection import Projector
from remoe_functions.wire.message import WireDtype


class LayerKernel(Protocol):
    """Some experts of one layer, ready to compute."""

    def weighted_sum(
        self,
        rows: npt.NDArray[Any],
        dtype: WireDtype,
        token_rows: TokenRows,
        which: Which,
        weights: Shares,
    ) -> Float64:
        """Each row's sum of `weight * expert(row)` over its pairs; zero where it has none.

        Args:
            rows: [n, hidden], as the wire carries them.
            dtype: what the numbers in `rows` are.
            token_rows: [p], below n; pair i sends row `token_rows[i]` ...
            which: [p]; ... to the expert at that place of the layer's ...
            weights: [p]; ... and adds this times its output.

        Returns:
            [n, hidden]: float32 shares, added in float64 in the order of the experts' places; NaN
            and infinity pass through.
        """
        ...


class Kernel(Protocol):
    """What computes experts; for one thread at a time.

    Attributes:
        name: for people and metrics.
    """

    name: str

    def layer(self, experts: Sequence[ExpertWeights]) -> LayerKernel:
        """Make experts of one layer ready; they are known by their places from here on."""
        ...


class NumpyKernel:
    """numpy and BLAS: float32 arithmetic on weights as they lie."""

    name = "numpy"

    def __init__(self) -> None:
        self._projector = Projector()

    def layer(self, experts: Sequence[ExpertWeights]) -> LayerKernel:
        return NumpyLayer(self, experts)

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
        self, rows: Float32, weights: ExpertWeights, matrix: Matrix, bias: MappedTensor | None
    ) -> Float32:
        result = self._projector.project(rows, matrix, transposed=weights.form.transposed)
        if bias is not None:
            result += widened(bias.array, bias.dtype)
        return result


class NumpyLayer:
    """Experts of one layer, computed one after the other."""

    def __init__(self, kernel: NumpyKernel, experts: Sequence[ExpertWeights]) -> None:
        self._kernel = kernel
        self._experts = experts

    def weighted_sum(
        self,
        rows: npt.NDArray[Any],
        dtype: WireDtype,
        token_rows: TokenRows,
        which: Which,
        weights: Shares,
    ) -> Float64:
        wide = np.ascontiguousarray(widened(rows, dtype))
        total = np.zeros(wide.shape)
        with np.errstate(all="ignore"):
            for place, members, shares in grouped(token_rows, which, weights):
                out = self._kernel.forward(self._experts[place], wide[members])
                total[members] += shares[:, np.newaxis] * out
        return total
