"""Experts of a layer computed by the native kernel: one call, straight from the mapped bytes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.kernel.machine import InstructionSet
from remoe_functions.kernel.moe_layer import Precision, forward
from remoe_functions.kernel.native_expert import ExpertTable, NativeExpert
from remoe_functions.main.spread import Pairs
from remoe_functions.main.tensors import to_rows
from remoe_planner.experts import ExpertId


class NativeExperts:
    """Every expert of a model, by pointers: what is not computed is not read."""

    def __init__(
        self, checkpoint: Checkpoint, instructions: InstructionSet, *, threads: int
    ) -> None:
        self.name = f"native/{instructions}"
        self._checkpoint = checkpoint
        self._instructions = instructions
        self._threads = threads
        self._tables: dict[int, ExpertTable] = {}

    def weighted_sum(self, layer: int, rows: torch.Tensor, pairs: Pairs) -> NDArray[np.float64]:
        """Each row's sum of weight times expert over its pairs, [n, hidden].

        A model that runs in bfloat16 has its products made in it, as torch would.
        """
        fast = rows.dtype == torch.bfloat16
        if rows.dtype == torch.float16:
            rows = rows.float()
        return forward(
            self.native_experts(layer),
            to_rows(rows.contiguous()),
            pairs.rows,
            pairs.experts,
            pairs.weights,
            threads=self._threads,
            precision=Precision.FAST if fast else Precision.EXACT,
            instructions=self._instructions,
        )

    def native_experts(self, layer: int) -> ExpertTable:
        """The layer's experts, all of them."""
        return self._tables.get(layer) or self._prepared(layer)

    def forget(self, experts: Iterable[ExpertId]) -> None:
        """Nothing is held but pointers."""

    def _prepared(self, layer: int) -> ExpertTable:
        count = self._checkpoint.architecture.experts_per_layer
        experts = (self._checkpoint.expert(ExpertId(layer, index)) for index in range(count))
        self._tables[layer] = table = ExpertTable(NativeExpert.of(weights) for weights in experts)
        return table
