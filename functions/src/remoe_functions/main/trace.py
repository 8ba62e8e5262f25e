"""What happened in one forward pass: routing, calls and fallbacks, before anybody's bill."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_functions.main.spread import Rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CallTrace:
    """One answered call: `rows` holds the forward pass's row of each of its pairs."""

    function: str
    rows: Rows
    busy_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FallbackTrace:
    """Pairs computed here in place of a function; `layer_row` counts MoE layers."""

    layer_row: int
    rows: Rows


@dataclass(slots=True)
class Trace:
    """One forward pass.

    Attributes:
        routing: per MoE layer that ran, (its row in the tables, int [rows, top_k] expert ids).
        calls: calls that were answered.
        fallbacks: pairs whose function did not answer.
    """

    routing: list[tuple[int, NDArray[np.integer[Any]]]] = field(default_factory=list)
    calls: list[CallTrace] = field(default_factory=list)
    fallbacks: list[FallbackTrace] = field(default_factory=list)

    def table(self, layers: int) -> NDArray[np.int64] | None:
        """Expert ids as int [MoE layers, rows, top_k]; None where no MoE layer ran."""
        if not self.routing:
            return None
        first = self.routing[0][1]
        table = np.zeros((layers, *first.shape), dtype=np.int64)
        for row, ids in self.routing:
            table[row] = ids
        return table

    def fallback_counts(self, layers: int, rows: int) -> NDArray[np.int64]:
        """Pairs computed in place of a function, int [MoE layers, rows]."""
        counts = np.zeros((layers, rows), dtype=np.int64)
        for fallback in self.fallbacks:
            counts[fallback.layer_row] += np.bincount(fallback.rows, minlength=rows)
        return counts
