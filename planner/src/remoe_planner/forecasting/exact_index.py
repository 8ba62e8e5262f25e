"""The exact search: every prompt compared, one matrix-vector product.

numpy rather than FAISS' flat index: for one query both read every vector once and are bound by
that, and this needs no library at the gateway's start.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.similarity import Found, checked, top


class ExactIndex:
    """All vectors in one growing matrix; its own copy."""

    def __init__(self, units: NDArray[np.float32]) -> None:
        """The rows [n, width] from the start."""
        self._held = np.array(units, np.float32)
        self._present = np.ones(len(units), np.bool_)
        self._rows = len(units)

    @property
    def nbytes(self) -> int:
        return self._held.nbytes + self._present.nbytes

    def nearest(self, unit: NDArray[np.float32], alpha: int) -> Found:
        cosines = self._held[: self._rows] @ checked(unit, self._held.shape[1])
        rows = np.arange(self._rows)
        present = self._present[: self._rows]
        if not present.all():
            rows, cosines = rows[present], cosines[present]
        return top(cosines, rows, alpha)

    def put(self, row: int, unit: NDArray[np.float32]) -> None:
        if not 0 <= row <= self._rows:
            raise ValueError(f"row must be in 0..{self._rows}, got {row}")
        self._reserve(row)
        self._held[row] = checked(unit, self._held.shape[1])
        self._present[row] = True
        self._rows = max(self._rows, row + 1)

    def remove(self, row: int) -> None:
        if 0 <= row < self._rows:
            self._present[row] = False

    def _reserve(self, row: int) -> None:
        if row >= len(self._held):
            more = max(64, len(self._held) // 2)
            self._held = np.pad(self._held, ((0, more), (0, 0)))
            self._present = np.pad(self._present, (0, more))
