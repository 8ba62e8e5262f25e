"""Past prompts as vectors and expert frequencies: a ring, the oldest goes when it is full.

What is made of them is the forecasters' work; nothing is fitted here but the center.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.exact_index import ExactIndex
from remoe_planner.forecasting.folding import Folding
from remoe_planner.forecasting.shape import RoutingShape
from remoe_planner.forecasting.similarity import (
    Found,
    IndexMaker,
    SimilarityIndex,
    checked,
    unit_rows,
    unit_vector,
)

_STEP = np.float64(65_535)


class PromptRing:
    """Rows of (direction, frequencies, tokens), and the search among them.

    The search compares directions as seen from a center: what all prompts share (a template, the
    most frequent words) says nothing about which of them are alike.
    """

    def __init__(
        self,
        shape: RoutingShape,
        *,
        width: int,
        capacity: int,
        make_index: IndexMaker = ExactIndex,
        most_numbers: int | None = None,
    ) -> None:
        """An empty ring.

        Args:
            shape: of the routing.
            width: of the prompts' vectors.
            capacity: prompts remembered.
            make_index: makes the search of the directions.
            most_numbers: wider vectors are folded to so many; None for never.
        """
        self._shape = shape
        self._width = width
        self._capacity = capacity
        self._make_index = make_index
        self._fold = Folding(width, most_numbers or width)
        self._all_units = np.zeros((1, self._fold.width), np.float16)
        self._all_spreads = np.zeros((1, shape.cells), np.uint16)
        self._all_tokens = np.zeros(1, np.int64)
        self._total = np.zeros(shape.cells, np.int64)
        self._center = np.zeros(self._fold.width, np.float32)
        self._index: SimilarityIndex | None = None
        self._prompts = 0
        self._next = 0

    def __len__(self) -> int:
        return self._prompts

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays and of the search."""
        held = (self._all_units, self._all_spreads, self._all_tokens, self._center)
        return sum(a.nbytes for a in held) + (self._index.nbytes if self._index else 0)

    def units(self, rows: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.float32]:
        """[rows, numbers] directions, as seen from nowhere."""
        return self._all_units[: self._prompts][rows].astype(np.float32)

    @property
    def tokens(self) -> NDArray[np.int64]:
        """[prompts] lengths."""
        return self._all_tokens[: self._prompts]

    def frequencies(self, rows: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.float64]:
        """[rows, layers, experts]; a share is held to 1 in 65,535."""
        spreads = self._all_spreads[: self._prompts][rows]
        return spreads.reshape(-1, *self._shape.table) / _STEP

    def add(self, unit: NDArray[np.float32], frequencies: NDArray[np.float64], tokens: int) -> int:
        """Take in a prompt, in place of the oldest where the ring is full; its row."""
        row = self._next
        self._reserve(row)
        spread = np.rint(frequencies.ravel() * _STEP).astype(np.uint16)
        self._total += spread.astype(np.int64) - self._all_spreads[row]
        self._all_units[row], self._all_spreads[row] = unit, spread
        self._all_tokens[row] = tokens
        self._prompts = max(self._prompts, row + 1)
        self._next = (row + 1) % self._capacity
        if self._index is not None:
            self._index.put(row, self._seen(unit))
        return row

    def unit(self, vector: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
        """A vector's direction, folded; None where it has none.

        Raises:
            ValueError: it is not as wide as the others, or not finite.
        """
        if vector is None or not np.any(vector):
            return None
        if not np.isfinite(vector).all():
            raise ValueError("vector must be finite, got NaN or infinity")
        return unit_vector(self._fold(checked(vector, self._width)))

    def recenter(self, *, centered: bool = True) -> None:
        """See all prompts from their mean, or from nowhere, and make the search anew."""
        units = self.units()
        center = np.zeros_like(self._center)
        if centered and len(units) > 1:
            center = units.mean(axis=0, dtype=np.float64).astype(np.float32)
        index = self._make_index(unit_rows(units - center))
        self._center, self._index = center, index

    def nearest(self, unit: NDArray[np.float32], alpha: int) -> Found:
        """Rows and cosines of up to alpha prompts most like one direction."""
        if self._index is None:
            self._index = self._make_index(unit_rows(self.units() - self._center))
        return self._index.nearest(self._seen(unit), alpha)

    def some_with_others(
        self, count: int, alpha: int
    ) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.float64]]]:
        """About so many prompts, evenly spread: each row, and rows and cosines of those like it.

        Neither the prompt itself nor a copy of it, which would give it away, is among them.
        """
        for row in range(0, len(self), max(1, len(self) // count)):
            near, cosines = self.nearest(self._all_units[row].astype(np.float32), alpha + 1)
            others = np.any(self._all_spreads[near] != self._all_spreads[row], axis=1)
            if others.any():
                yield row, near[others][:alpha], cosines[others][:alpha]

    def mean_frequencies(self) -> NDArray[np.float64]:
        """The mean of all prompts' frequencies, [layers, experts]."""
        return np.asarray(self._total.reshape(self._shape.table) / (self._prompts * _STEP))

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Everything held, as plain arrays."""
        return {
            "units": self._all_units[: self._prompts],
            "spreads": self._all_spreads[: self._prompts],
            "tokens": self.tokens,
            "center": self._center,
            "next": np.array(self._next),
        }

    def _seen(self, unit: NDArray[np.float32]) -> NDArray[np.float32]:
        return unit_vector(unit - self._center)

    def _reserve(self, row: int) -> None:
        held = len(self._all_units)
        if row < held:
            return
        more = min(held, self._capacity - held)
        self._all_units = np.pad(self._all_units, ((0, more), (0, 0)))
        self._all_spreads = np.pad(self._all_spreads, ((0, more), (0, 0)))
        self._all_tokens = np.pad(self._all_tokens, (0, more))
