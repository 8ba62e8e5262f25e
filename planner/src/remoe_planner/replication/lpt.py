"""Longest processing time first: the paper's partition of a layer's experts over its replicas.

Multiway number partitioning is in no library that is kept up; the rule itself is a heap.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence


def lpt(seconds: Sequence[float], replicas: int) -> tuple[tuple[int, ...], ...]:
    """Give each task, the longest first, to the replica with the least to do.

    The longest replica takes at most 4/3 - 1/(3 z) of the least time that any partition needs.

    Args:
        seconds: [tasks], each >= 0.
        replicas: how many share them (z).

    Returns:
        The tasks of each replica, ascending; some may have none. Ties go to the task and the
        replica of the lower number, so the same input gives the same partition.

    Raises:
        ValueError: no replica, or a time that is negative or not a number.
    """
    if replicas < 1:
        raise ValueError(f"replicas must be >= 1, got {replicas}")
    if any(not task >= 0 for task in seconds):
        raise ValueError("seconds must be >= 0 for every task")
    loads = [(0.0, number) for number in range(replicas)]
    parts: list[list[int]] = [[] for _ in loads]
    for task in sorted(range(len(seconds)), key=lambda index: -seconds[index]):
        load, number = loads[0]
        parts[number].append(task)
        heapq.heapreplace(loads, (load + seconds[task], number))
    return tuple(tuple(sorted(part)) for part in parts)


def longest(seconds: Sequence[float], parts: Sequence[Sequence[int]]) -> float:
    """Seconds of the replica that has the most to do."""
    return max((sum(seconds[task] for task in part) for part in parts), default=0.0)


def lpt_ratio(replicas: int) -> float:
    """How much longer than the best partition LPT's can be at most."""
    return 4 / 3 - 1 / (3 * replicas)
