"""The kernel that needs nothing but numpy, for machines without the native one.

The only part of a function that imports numpy, so nothing else here may import it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from remoe_functions.checkpoint.blocks import Matrix
from remoe_functions.checkpoint.ffn import ExpertWeights
from remoe_functions.checkpoint.tensors import MappedTensor
from remoe_functions.expert.activation import PLAIN, gated
from remoe_functions.expert.computing import LayerKernel, not_served
from remoe_functions.expert.pairs import Shares, TokenRows, Which, grouped, judge
from remoe_functions.expert.precision import Float32, Float64, narrowed, widened
from remoe_functions.expert.projection import Projector
from remoe_functions.wire.message import WireDtype
from remoe_functions.wire.received import ReceivedCall


class NumpyKernel:
    """numpy and BLAS: float32 arithmetic on weights as they lie."""

    name = "numpy"

    def __init__(self) -> None:
        self._projector = Projector()

    def layer(self, experts: Mapping[int, ExpertWeights]) -> LayerKernel:
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

    _ABSENT = np.uint16(0xFFFF)

    def __init__(self, kernel: NumpyKernel, experts: Mapping[int, ExpertWeights]) -> None:
        self._kernel = kernel
        indices = sorted(experts)
        self._experts: Sequence[ExpertWeights] = [experts[index] for index in indices]
        self._places = np.full(indices[-1] + 1, self._ABSENT)
        self._places[indices] = np.arange(len(indices), dtype=np.uint16)

    def answer(self, call: ReceivedCall) -> npt.NDArray[Any]:
        judge(call)
        places = self._places_of(call.layer, call.experts)
        total = self.weighted_sum(call.rows, call.dtype, call.token_rows, places, call.weights)
        return narrowed(total, call.answer_dtype)

    def weighted_sum(
        self,
        rows: npt.NDArray[Any],
        dtype: WireDtype,
        token_rows: TokenRows,
        which: Which,
        weights: Shares,
    ) -> Float64:
        """Each row's sum over its pairs; pair i sends row `token_rows[i]` to place `which[i]`."""
        wide = np.ascontiguousarray(widened(rows, dtype))
        total = np.zeros(wide.shape)
        with np.errstate(all="ignore"):
            for place, members, shares in grouped(token_rows, which, weights):
                out = self._kernel.forward(self._experts[place], wide[members])
                total[members] += shares[:, np.newaxis] * out
        return total

    def _places_of(self, layer: int, experts: Which) -> Which:
        places = self._places.take(experts, mode="clip")
        absent = (places == self._ABSENT) | (experts >= len(self._places))
        if absent.any():
            raise not_served(layer, int(experts[absent].min()))
        return places
