"""A layer's experts over a function's replicas, as the main model spreads them (remoe.md 1.10)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def busiest_part(
    rows: NDArray[np.int64],
    seconds: Floats,
    starts: NDArray[np.intp],
    parts: NDArray[np.int64],
    whole: Floats,
) -> Floats:
    """Seconds of each call's busiest replica, [calls].

    Longest processing time first: experts by falling rows, each to the replica with the fewest so
    far. All calls take their next expert together.

    Args:
        rows: [asked], of each expert, call by call.
        seconds: [asked], of the same.
        starts: [calls], where each call's experts begin.
        parts: [calls], replicas that share it.
        whole: [calls], seconds of all experts of each.
    """
    shared = np.flatnonzero(parts > 1)
    if not len(shared):
        return whole
    lengths = np.diff(starts, append=len(rows))[shared]
    rank = np.arange(int(lengths.max()))
    held = rank < lengths[:, None]
    places = np.where(held, starts[shared][:, None] + rank, 0)
    load = np.where(held, rows[places], 0)
    order = np.argsort(-load, axis=1, kind="stable")
    load = np.take_along_axis(load, order, axis=1)
    time = np.take_along_axis(np.where(held, seconds[places], 0.0), order, axis=1)
    longest = whole.copy()
    longest[shared] = _spread(load, time, parts[shared]).max(axis=1)
    return longest


def _spread(load: NDArray[np.int64], time: Floats, parts: NDArray[np.int64]) -> Floats:
    """Seconds of every replica, [calls, replicas]."""
    calls = np.arange(len(load))
    most = int(parts.max())
    rows = np.where(np.arange(most) < parts[:, None], 0, np.iinfo(np.int64).max // 2)
    seconds = np.zeros((len(load), most))
    for rank in range(load.shape[1]):
        least = rows.argmin(axis=1)
        rows[calls, least] += load[:, rank]
        seconds[calls, least] += time[:, rank]
    return seconds
