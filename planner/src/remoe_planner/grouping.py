"""Which remote experts share a function. The choice of which are remote is made before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from remoe_planner.experts import ExpertId


class Grouping(StrEnum):
    """How remote experts are shared out over functions."""

    BY_USE = "use"
    """Neighbors in the ranking together: the least used sleep together, and longest."""

    BY_LAYER = "layer"
    """One function per layer, as in the paper."""


def group(
    ranked: Sequence[ExpertId], grouping: Grouping, functions: int
) -> Iterator[tuple[str, tuple[ExpertId, ...]]]:
    """Name each function and say which experts it serves.

    Args:
        ranked: the remote experts, least used first.
        grouping: how they are shared out.
        functions: functions at most, where grouped by use; `experts-1` is the most used one.
    """
    if grouping is Grouping.BY_LAYER:
        yield from _by_layer(ranked)
    else:
        yield from _by_use(ranked, functions)


def _by_layer(ranked: Sequence[ExpertId]) -> Iterator[tuple[str, tuple[ExpertId, ...]]]:
    for layer in sorted({expert.layer for expert in ranked}):
        yield f"layer-{layer}", tuple(sorted(e for e in ranked if e.layer == layer))


def _by_use(
    ranked: Sequence[ExpertId], functions: int
) -> Iterator[tuple[str, tuple[ExpertId, ...]]]:
    """Equal parts of the ranking, to within one expert."""
    most_used_first = ranked[::-1]
    count = min(functions, len(ranked))
    for number in range(count):
        start, end = (len(ranked) * edge // count for edge in (number, number + 1))
        yield f"experts-{number + 1}", tuple(sorted(most_used_first[start:end]))
