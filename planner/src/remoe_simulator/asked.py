"""What forward passes ask of experts: which, and how many rows of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from remoe_simulator.layout import Layout, Places


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """Experts with a row at least, pass by pass and in each by place.

    Attributes:
        passes: how many.
        tokens: rows that each pass computes.
        turn: [asked], the pass of each, from 0.
        place: [asked], which expert.
        rows: [asked], its rows.
    """

    passes: int
    tokens: int
    turn: NDArray[np.intp]
    place: NDArray[np.intp]
    rows: NDArray[np.int64]

    @classmethod
    def of_chunk(cls, layout: Layout, rows: NDArray[np.uint16], tokens: int) -> Self:
        """One pass over so many tokens of a prompt, with rows [layers, experts]."""
        counts = layout.counts_by_place(rows)
        place = np.flatnonzero(counts)
        turn = np.zeros(len(place), np.intp)
        return cls(passes=1, tokens=tokens, turn=turn, place=place, rows=counts[place])

    @classmethod
    def of_steps(cls, places: Places, tokens: int) -> Self:
        """Decode steps: [steps, picks], the picks of all tokens of a step in a row."""
        ordered = np.sort(places, axis=1)
        fresh = np.ones(ordered.shape, bool)
        np.not_equal(ordered[:, 1:], ordered[:, :-1], out=fresh[:, 1:])
        first = np.flatnonzero(fresh)
        return cls(
            passes=len(places),
            tokens=tokens,
            turn=first // max(ordered.shape[1], 1),
            place=ordered.ravel()[first].astype(np.intp),
            rows=np.diff(first, append=ordered.size),
        )

    def between(self, layout: Layout, first: int, last: int) -> Self:
        """Of a single pass, the layers from `first` until before `last`."""
        bounds = np.searchsorted(self.place, np.array((first, last)) * layout.experts)
        kept = slice(*bounds.tolist())
        return type(self)(
            passes=self.passes,
            tokens=self.tokens,
            turn=self.turn[kept],
            place=self.place[kept],
            rows=self.rows[kept],
        )
