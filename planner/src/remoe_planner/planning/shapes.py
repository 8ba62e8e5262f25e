"""Which experts go together where rarely used ones are gathered: splits of the ranking, by size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.planning.problem import Problem, ranked
from remoe_planner.planning.ranges import Ranges, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A candidate without its kept replicas.

    Attributes:
        split: which stretch of the ranking each function serves.
        scale: its size, an index into the multiples of what its experts need.
    """

    split: Split
    scale: int


def ranking(problem: Problem) -> NDArray[np.intp]:
    """[layers, experts], the rank of each by use over all layers, the least used first."""
    layers, experts = problem.architecture.shape
    # Ties by index before layer, so that each layer's experts come in its own order.
    order = ranked(problem.utility.T.ravel())
    ranks = np.empty(layers * experts, np.intp)
    ranks[order] = np.arange(layers * experts)
    return np.ascontiguousarray(ranks.reshape(experts, layers).T)


def shapes_of(problem: Problem, ranges: Ranges, places: int) -> tuple[Shape, ...]:
    """The shapes looked at, of all splits up to one of so many places."""
    most = min(problem.offerings.max_functions, MOST_FUNCTIONS)
    ends = np.unique(np.linspace(1, places - 1, ENDS).round().astype(int)).tolist()
    splits = [
        split for found in ranges.splits(ends, most, DOUBLINGS).values() for split in found.values()
    ]
    cells = sum(split.functions for split in splits) * len(problem.architecture.layers)
    return tuple(
        Shape(split=split, scale=scale)
        for scale, most_cells in enumerate(MOST_CELLS)
        for split in _thinned(splits, most_cells / max(cells, 1))
    )


def _thinned(splits: list[Split], share: float) -> list[Split]:
    """About this share of them, evenly spaced; four at least."""
    count = max(int(len(splits) * min(1.0, share)), min(len(splits), 4))
    chosen = np.unique(np.linspace(0, len(splits) - 1, count).round().astype(int))
    return [splits[index] for index in chosen.tolist()] if splits else []


ENDS = 12
MOST_FUNCTIONS = 64
DOUBLINGS = (1, 2, 4, 8)
SCALES = (1.0, 2.0)
MOST_CELLS = (24_000, 8_000)
"""Of arrays [candidates, functions, layers] at most, for each scale: larger ones seldom pay."""
