"""Splitting a layer's remote pairs into calls: by function, by replica, by payload."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.uint32]
Experts = NDArray[np.uint16]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Routed pairs of one layer: pair i sends row `rows[i]` to expert `experts[i]`.

    Of the types that the kernel and the wire take, so that nobody converts them.
    """

    rows: Rows
    experts: Experts
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rows)

    def pick(self, mask: NDArray[np.bool_]) -> Pairs:
        """The pairs where `mask` holds."""
        return Pairs(rows=self.rows[mask], experts=self.experts[mask], weights=self.weights[mask])


def spread_over_replicas(pairs: Pairs, replicas: int) -> list[Pairs]:
    """Split pairs by expert so that replicas get about the same number of pairs each.

    Longest processing time first (remoe.md 1.10): experts by falling number of pairs, each to
    the replica with the least so far. A pair's expert decides, so a replica reads the weights of
    its experts only. Fewer parts than `replicas` come back where there are fewer experts.
    """
    loads = np.bincount(pairs.experts)
    totals = np.zeros(replicas, dtype=np.int64)
    home = np.zeros(len(loads), dtype=np.intp)
    for expert in np.argsort(-loads, kind="stable"):
        home[expert] = totals.argmin()
        totals[home[expert]] += loads[expert]
    homes = home[pairs.experts]
    parts = (pairs.pick(homes == replica) for replica in range(replicas))
    return [part for part in parts if len(part)]


def chunks(pairs: Pairs, max_rows: int) -> Iterator[Pairs]:
    """Split pairs so that no part has more than `max_rows` distinct rows."""
    distinct = np.unique(pairs.rows)
    if len(distinct) <= max_rows:
        yield pairs
        return
    for start in range(0, len(distinct), max_rows):
        part = distinct[start : start + max_rows]
        yield pairs.pick((pairs.rows >= part[0]) & (pairs.rows <= part[-1]))
