"""Finding the prompts most like one: the seam, and the exact search behind it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class SimilarityIndex(Protocol):
    """Unit vectors that can be searched."""

    def nearest(
        self, unit: NDArray[np.float32], alpha: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rows and cosines (eq. 11) of up to alpha prompts, the most similar first."""


class ExactIndex:
    """Every prompt compared: one matrix-vector product."""

    def __init__(self, units: NDArray[np.float32]) -> None:
        self._units = units

    def nearest(
        self, unit: NDArray[np.float32], alpha: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return top(self._units @ unit, np.arange(len(self._units)), alpha)


def top(
    cosines: NDArray[np.float32], rows: NDArray[np.int64], alpha: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The alpha rows of highest cosine, in order; ties go to the smaller row."""
    order = np.lexsort((rows, -cosines))[:alpha]
    return rows[order], cosines[order].astype(np.float64)


def unit_vector(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vector at length 1; zero stays zero."""
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length if length > 0 else vector, np.float32)
