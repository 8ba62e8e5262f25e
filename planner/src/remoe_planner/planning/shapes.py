"""Which experts go together in functions of all layers: splits of the ranking, stripes, sizes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
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
        stripes: functions over which the experts of a single stretch are dealt; 1 where none are.
    """

    split: Split
    scale: int
    stripes: int = 1


def ranking(problem: Problem) -> NDArray[np.intp]:
    """[layers, experts], the rank of each by use over all layers, the least used first."""
    layers, experts = problem.architecture.shape
    # Ties by index before layer, so that each layer's experts come in its own order.
    order = ranked(problem.utility.T.ravel())
    ranks = np.empty(layers * experts, np.intp)
    ranks[order] = np.arange(layers * experts)
    return np.ascontiguousarray(ranks.reshape(experts, layers).T)


def shapes_of(problem: Problem, ranges: Ranges, places: NDArray[np.intp]) -> tuple[Shape, ...]:
    """The shapes looked at, of all splits and stripes up to one of the places in the ranking."""
    most = min(problem.offerings.max_functions, MOST_FUNCTIONS)
    ends = np.unique(np.linspace(1, len(places) - 1, ENDS).round().astype(int)).tolist()
    splits = [
        split for found in ranges.splits(ends, most, DOUBLINGS).values() for split in found.values()
    ]
    cells = sum(split.functions for split in splits) * len(problem.architecture.layers)
    gathered = (
        Shape(split=split, scale=scale)
        for scale, most_cells in enumerate(MOST_CELLS)
        for split in _thinned(splits, most_cells / max(cells, 1))
    )
    return (*gathered, *_striped(problem, ends, places, most))


def _striped(
    problem: Problem, ends: Sequence[int], places: NDArray[np.intp], most: int
) -> Iterator[Shape]:
    """Every number of stripes that holds the experts, in every size."""
    room, expert_bytes = problem.offerings.function_room_bytes, problem.architecture.expert_bytes
    for end in [ends[-back] for back in STRIPED_ENDS if back <= len(ends)]:
        for stripes in STRIPES:
            each = -(-int(places[end]) // stripes)
            if stripes <= min(most, places[end]) and each * expert_bytes <= room:
                for scale in range(len(SCALES)):
                    yield Shape(split=Split(edges=(0, end)), scale=scale, stripes=stripes)


def _thinned(splits: list[Split], share: float) -> list[Split]:
    """About this share of them, evenly spaced; four at least."""
    count = max(int(len(splits) * min(1.0, share)), min(len(splits), 4))
    chosen = np.unique(np.linspace(0, len(splits) - 1, count).round().astype(int))
    return [splits[index] for index in chosen.tolist()] if splits else []


ENDS = 12
MOST_FUNCTIONS = 64
DOUBLINGS = (1, 2, 4, 8)
STRIPES = (4, 8, 16, 32, 64)
STRIPED_ENDS = (1, 2, 4, 8)
"""Counted from the last end: nearly all experts are remote in the best of these plans."""
SCALES = (1.0, 2.0, math.inf, 4.0)
"""Multiples of what the experts need; infinity is the largest size: cores come with memory, and
while their work gains from them it costs the same in a larger size for a shorter time."""
MOST_CELLS = (16_000, 6_000, 4_000)
"""Of arrays [candidates, functions, layers] at most, for each of the first scales: larger ones
seldom pay. Stripes, which are one row each, are looked at in all of them."""
