"""What the tables hold about the contexts of one prompt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class ContextTable(Protocol):
    """Counts by context key, however they are kept."""

    def lookup(
        self, keys: NDArray[np.uint64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]:
        """Which keys were seen [n]; of those, counts [s, layers, experts] and sums [s, layers]."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Counts of the distinct contexts of a prompt; the last row stands for all never seen.

    Attributes:
        index: [n] row of each token's context.
        counts: [rows, layers, experts] counts over top-k, so a token adds 1 to each layer.
        tokens: [rows, layers] their sums over the experts: tokens seen.
    """

    index: NDArray[np.int64]
    counts: NDArray[np.float32]
    tokens: NDArray[np.float32]

    def trust(self, strength: NDArray[np.float32]) -> NDArray[np.float32]:
        """How much of each token's estimate the counts decide, n / (n + strength), [n, layers]."""
        return (self.tokens / (self.tokens + strength))[self.index]

    def mixed(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """The sum over tokens of weight times mean spread, [layers, experts].

        Args:
            weights: [n, layers], zero where the context was never seen.
        """
        by_row = sum_by_row(weights, self.index, len(self.counts))
        scaled = np.divide(by_row, self.tokens, out=np.zeros_like(by_row), where=self.tokens > 0)
        return weighted_sum(scaled, self.counts)


def gather(
    table: ContextTable,
    keys: NDArray[np.uint64],
    top_k: int,
    own: tuple[NDArray[np.uint64], NDArray[np.int64]] | None = None,
) -> Evidence:
    """Look up the contexts of a prompt.

    Args:
        table: where they are counted.
        keys: [n] contexts to look up.
        top_k: experts a token visits in a layer.
        own: keys [m] and flat cells [m, picks] of the prompt itself, taken out again where the
            table has already counted them (leave one out).
    """
    distinct, index = np.unique(keys, return_inverse=True)
    seen, counts, tokens = table.lookup(distinct)
    if own is not None:
        mine = _own_counts(distinct[seen], *own, counts.shape)
        counts, tokens = np.maximum(counts - mine, 0), np.maximum(tokens - mine.sum(axis=2), 0)
    place = np.where(seen, np.cumsum(seen) - 1, len(counts))
    return Evidence(
        index=place[index.ravel()],
        counts=_with_zero(counts, top_k),
        tokens=_with_zero(tokens, top_k),
    )


def sum_by_row(
    values: NDArray[np.float32], index: NDArray[np.int64], rows: int
) -> NDArray[np.float32]:
    """Sums of values [n, layers] that share a row, [rows, layers]."""
    owners = np.zeros((rows, len(index)), np.float32)
    owners[index, np.arange(len(index))] = 1
    return owners @ values


def weighted_sum(weights: NDArray[np.float32], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums [layers, experts] over rows of weights [rows, layers] times values."""
    # A product of matrices for each layer: several times faster than `einsum`.
    return np.asarray((weights.T[:, None, :] @ values.transpose(1, 0, 2))[:, 0, :])


def _own_counts(
    distinct: NDArray[np.uint64],
    keys: NDArray[np.uint64],
    cells: NDArray[np.int64],
    shape: tuple[int, ...],
) -> NDArray[np.float32]:
    place = np.minimum(np.searchsorted(distinct, keys), max(len(distinct) - 1, 0))
    mine = np.flatnonzero(distinct[place] == keys) if len(distinct) else np.zeros(0, np.int64)
    width = shape[1] * shape[2]
    flat = place[mine][:, None] * width + cells[mine]
    hits = np.bincount(flat.ravel(), minlength=len(distinct) * width)
    return hits.astype(np.float32).reshape(shape)


def _with_zero(values: NDArray[np.float32], top_k: int) -> NDArray[np.float32]:
    """In tokens instead of assignments, with a row for what was never seen."""
    with_row = np.empty((len(values) + 1, *values.shape[1:]), np.float32)
    np.divide(values, np.float32(top_k), out=with_row[:-1])
    with_row[-1] = 0
    return with_row
