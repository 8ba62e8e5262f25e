"""Finding the prompts most like one: the seam every search fits, and the order of its answers.

The searches themselves are `exact_index`, `approximate_index` and, for comparison, `cluster_tree`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Found = tuple[NDArray[np.int64], NDArray[np.float64]]


class SimilarityIndex(Protocol):
    """Unit vectors that can be searched, each under the number of its row."""

    @property
    def nbytes(self) -> int:
        """Bytes held."""

    def nearest(self, unit: NDArray[np.float32], alpha: int) -> Found:
        """Rows and cosines (eq. 11) of up to alpha prompts, the most similar first."""

    def put(self, row: int, unit: NDArray[np.float32]) -> None:
        """Add a row, or put another vector in its place; at most one beyond the last row.

        Raises:
            ValueError: the row is farther beyond the last, or the vector of another width.
        """

    def remove(self, row: int) -> None:
        """Never find this row again, until something is put there; no such row: nothing happens."""


IndexMaker = Callable[[NDArray[np.float32]], SimilarityIndex]


def top(cosines: NDArray[np.float32], rows: NDArray[np.int64], alpha: int) -> Found:
    """The alpha rows of highest cosine, in order; ties go to the smaller row."""
    if len(rows) > 4 * alpha:
        # Equal cosines at the edge all stay in, so that the smaller row still wins.
        edge = np.partition(cosines, len(cosines) - alpha)[len(cosines) - alpha]
        near = np.flatnonzero(cosines >= edge)
        cosines, rows = cosines[near], rows[near]
    order = np.lexsort((rows, -cosines))[:alpha]
    return rows[order], cosines[order].astype(np.float64)


def unit_vector(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vector at length 1; zero stays zero."""
    return np.asarray(unit_rows(vector[None])[0], np.float32)


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each row at length 1; a zero stays zero."""
    # In float64: the squares of small float32 values would vanish, and the length with them.
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))[:, None]
    units = np.divide(vectors, lengths, out=np.zeros(vectors.shape), where=lengths > 0)
    return np.asarray(units, np.float32)


def checked(unit: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """The vector as contiguous float32.

    Raises:
        ValueError: it is not [width].
    """
    if unit.shape != (width,):
        raise ValueError(f"vector must have shape ({width},), got {unit.shape}")
    return np.ascontiguousarray(unit, np.float32)
