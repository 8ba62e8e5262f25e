"""A plan's functions as arrays: made once per plan, so that a request's decision is a few sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from remoe_planner.memory import GIB
from remoe_planner.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FunctionTable:
    """The functions of a plan, in its order.

    A *row* is one function's experts in one layer: what a single call can ask for.

    Attributes:
        names: of the functions.
        shape: (MoE layers, experts per layer).
        top_k: experts each token visits in a layer.
        cells: [remote experts] flat (layer, expert) positions, by function, then by layer.
        row_starts: [rows] where each row's cells begin.
        row_function: [rows] whose each row is.
        row_layer: [rows] position of its layer.
        first_rows: [functions] the first row of each.
        experts: [functions] how many each serves.
        memory_gib: [functions] of one replica.
        max_replicas: [functions].
        keep_alive_seconds: [functions].
    """

    names: tuple[str, ...]
    shape: tuple[int, int]
    top_k: int
    cells: NDArray[np.int64]
    row_starts: NDArray[np.int64]
    row_function: NDArray[np.int64]
    row_layer: NDArray[np.int64]
    first_rows: NDArray[np.int64]
    experts: NDArray[np.int64]
    memory_gib: NDArray[np.float64]
    max_replicas: NDArray[np.int64]
    keep_alive_seconds: NDArray[np.float64]

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """Read a plan; experts of a function stand in it layer by layer."""
        layer_of = {layer: row for row, layer in enumerate(plan.architecture.layers)}
        experts = plan.architecture.experts_per_layer
        homes = [
            (number, layer_of[expert.layer], expert.index)
            for number, function in enumerate(plan.functions)
            for expert in function.experts
        ]
        found = np.array(homes, np.int64).reshape(-1, 3)
        fresh = np.ones(len(found), bool)
        fresh[1:] = np.any(np.diff(found[:, :2], axis=0) != 0, axis=1)
        starts = np.flatnonzero(fresh)
        return cls(
            names=tuple(function.name for function in plan.functions),
            shape=plan.architecture.shape,
            top_k=plan.architecture.top_k,
            cells=found[:, 1] * experts + found[:, 2],
            row_starts=starts,
            row_function=found[starts, 0],
            row_layer=found[starts, 1],
            first_rows=np.searchsorted(found[starts, 0], np.arange(len(plan.functions))),
            experts=np.array([len(f.experts) for f in plan.functions], np.int64),
            memory_gib=np.array([f.memory_bytes for f in plan.functions]) / GIB,
            max_replicas=np.array([f.max_replicas for f in plan.functions], np.int64),
            keep_alive_seconds=np.array([f.keep_alive_seconds for f in plan.functions], float),
        )

    def __len__(self) -> int:
        return len(self.names)

    def by_row(self, cells: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums of [remote experts] over each function's layers, [rows]."""
        if not len(self.row_starts):
            return np.zeros(0)
        return np.asarray(np.add.reduceat(cells, self.row_starts))

    def by_function(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums of [rows] over each function, [functions]."""
        sums = np.bincount(self.row_function, weights=rows, minlength=len(self))
        return np.asarray(sums, np.float64)
