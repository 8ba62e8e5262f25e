"""Bounds that hold because they held: conformal quantiles over past prompts.

The unit is the prompt, whose tokens are not independent; nothing is assumed of them. A prompt's
score at an expert is Chernoff's exponent of what it did there, and its bound the score that all
but delta of the past prompts stay below, (n + 1)(1 - delta) of n rounded up. Prompts of other
lengths have other tails, so each class of lengths has its own quantiles where it has enough
prompts.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from remoe_planner.preallocation.bound import Limits, Promise, Reach, check_tokens, of_sets
from remoe_planner.preallocation.chernoff import divergence, effective_draws
from remoe_planner.preallocation.sets import (
    Columns,
    Past,
    left_out_correlation,
    left_out_shares,
)
from remoe_planner.preallocation.share_aware import most_assignments

LENGTH_EDGES = (16, 64, 256)
"""Tokens at which a new class of lengths begins."""


class QuantileBounds:
    """Conformal bounds; Chernoff's own exponent where there are too few past prompts."""

    def __init__(
        self,
        experts: Columns,
        sets: Columns,
        *,
        order: NDArray[np.int64],
        top_k: int,
        promise: Promise,
    ) -> None:
        self._order = order
        self._experts = _Calibrated(experts, top_k, promise, joint_axes=(1, 2))
        self._sets = _Calibrated(sets, top_k, promise, joint_axes=(1,))

    def at(self, tokens: int) -> Limits:
        check_tokens(tokens)
        experts = self._experts.most(tokens)
        sets = of_sets(self._sets.most(tokens), experts, self._order)
        return Limits(experts=experts, least_used=sets)


class _Calibrated:
    """Columns with an exponent for each class of lengths."""

    def __init__(
        self, columns: Columns, top_k: int, promise: Promise, *, joint_axes: tuple[int, ...]
    ) -> None:
        self._columns, self._top_k = columns, top_k
        scores = _scores(columns.past)
        events = math.prod(columns.shares.shape[axis - 1] for axis in joint_axes)
        if promise.reach is Reach.ALL:
            scores = scores.max(axis=joint_axes, keepdims=True, initial=0.0)
        classes = length_class(columns.past.draws / top_k)
        self._exponents = _exponents(scores, classes, promise, promise.exponent(events))
        self._floors = self._bounds_at_edges()

    def most(self, tokens: int) -> NDArray[np.float64]:
        here = int(length_class(tokens))
        most = self._raw(tokens, here)
        return np.maximum(most, self._floors[here - 1]) if here else most

    def _raw(self, tokens: int, length: int) -> NDArray[np.float64]:
        return most_assignments(self._columns, tokens, self._top_k, self._exponents[length])

    def _bounds_at_edges(self) -> NDArray[np.float64]:
        """The bound of each class at its longest prompt: no longer prompt has a lower one."""
        lasts = [self._raw(edge - 1, length) for length, edge in enumerate(LENGTH_EDGES)]
        return np.maximum.accumulate(np.stack(lasts), axis=0)


def length_class(tokens: NDArray[np.float64] | int) -> NDArray[np.int64]:
    """The class of each length, 0..len(LENGTH_EDGES)."""
    return np.asarray(np.searchsorted(LENGTH_EDGES, tokens, side="right"), np.int64)


def _scores(past: Past) -> NDArray[np.float32]:
    """Exponents of past prompts against what all others say, [n, layers, columns]; >= 0."""
    found = np.zeros(past.counts.shape, np.float32)
    if len(found) > 1:
        for layer, shares in enumerate(past.shares):
            found[:, layer] = _layer_scores(past.counts[:, layer], past.draws, shares)
    return found


def _layer_scores(
    counts: NDArray[np.float32], draws: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    expected = left_out_shares(counts, draws, len(shares))
    correlation = left_out_correlation(counts, draws, shares)
    seen = counts / draws[:, None]
    exponents = effective_draws(draws[:, None], correlation) * divergence(seen, expected)
    return np.where(seen > expected, exponents, 0.0)


def _exponents(
    scores: NDArray[np.float32],
    classes: NDArray[np.int64],
    promise: Promise,
    otherwise: float,
) -> NDArray[np.float64]:
    """[classes, ...]: each class's own quantile, else that of all prompts, else the textbook's."""
    textbook = np.full(scores.shape[1:], otherwise)
    pooled = _conformal(scores, promise.confidence, textbook)
    by_class = [
        _conformal(scores[classes == length], promise.confidence, pooled)
        for length in range(len(LENGTH_EDGES) + 1)
    ]
    return np.stack(by_class)


def _conformal(
    scores: NDArray[np.float32], confidence: float, otherwise: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The score that the next prompt stays below with this chance, given past ones [n, ...].

    Where there are too few to say, the highest seen or `otherwise`, whichever is more.
    """
    count = len(scores)
    rank = math.ceil((count + 1) * confidence)
    if rank <= count:
        return np.asarray(np.partition(scores, rank - 1, axis=0)[rank - 1], np.float64)
    return np.asarray(np.maximum(scores.max(axis=0, initial=0.0), otherwise))
