"""The native kernel behind the function's seam: one call into it for one call from the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from remoe_functions.checkpoint.ffn import ExpertWeights
from remoe_functions.expert.kernel import LayerKernel
from remoe_functions.expert.pairs import Shares, TokenRows, Which
from remoe_functions.expert.precision import Float64
from remoe_functions.kernel.machine import InstructionSet
from remoe_functions.kernel.moe_layer import Precision, forward
from remoe_functions.kernel.native_expert import ExpertTable, NativeExpert
from remoe_functions.wire.message import WireDtype


class NativeKernel:
    """Computes straight from the mapped bytes, whatever their type, with a bounded thread pool."""

    def __init__(self, instructions: InstructionSet, *, threads: int) -> None:
        self.name = f"native/{instructions}"
        self._instructions = instructions
        self._threads = threads

    def layer(self, experts: Sequence[ExpertWeights]) -> LayerKernel:
        table = ExpertTable(NativeExpert.of(weights) for weights in experts)
        return NativeLayer(table, self._instructions, self._threads)


class NativeLayer:
    """Experts of one layer, by their places in memory."""

    def __init__(self, table: ExpertTable, instructions: InstructionSet, threads: int) -> None:
        self._table = table
        self._instructions = instructions
        self._threads = threads

    def weighted_sum(
        self,
        rows: npt.NDArray[Any],
        dtype: WireDtype,
        token_rows: TokenRows,
        which: Which,
        weights: Shares,
    ) -> Float64:
        # A caller that sends bfloat16 computes in it, too; float32 is for who wants it exact.
        fast = dtype is WireDtype.BFLOAT16
        return forward(
            self._table,
            rows.astype(np.float32) if dtype is WireDtype.FLOAT16 else rows,
            token_rows,
            which,
            weights,
            threads=self._threads,
            precision=Precision.FAST if fast else Precision.EXACT,
            instructions=self._instructions,
        )
