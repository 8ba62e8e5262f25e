"""What past prompts say of experts and of sets of experts: shares, and how alike a prompt's are.

An expert is the same as a set here: a column with a share of the layer's assignments and counts of
past prompts. The m least used experts of a layer are a set for every m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.demand.routing import Routing

DEFAULT_CORRELATION = 0.05
"""Taken where fewer than two prompts are recorded: above the median of every model looked at."""

MAX_PROMPTS = 2000
"""Past prompts looked at, the latest ones."""

_FOLDS = 10
_HALF = 0.5  # of a draw, to every expert: one never seen is rare, not impossible
_ENOUGH = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Past:
    """Past prompts, and the set that each column stands for in them.

    Attributes:
        counts: [n, layers, columns] assignments of each prompt; may have no rows.
        draws: [n] all assignments of each of them in a layer: tokens times top-k.
    """

    counts: NDArray[np.float32]
    draws: NDArray[np.float64]

    @property
    def shares(self) -> NDArray[np.float64]:
        """[layers, columns] shares of all recorded assignments."""
        total = self.counts.sum(axis=0, dtype=np.float64)
        return np.asarray(total / max(float(self.draws.sum()), _ENOUGH))

    @property
    def correlation(self) -> NDArray[np.float64]:
        """How alike the draws of one prompt are, [layers, columns], 0 to 1.

        The rho of var(count) = N s (1 - s) (1 + (N - 1) rho), by least squares over the prompts.
        """
        if len(self.draws) < 2:
            return np.full(self.counts.shape[1:], DEFAULT_CORRELATION)
        columns = zip(self.counts.swapaxes(0, 1), self.shares, strict=True)
        misfits = np.stack([misfit(c, self.draws, s).sum(axis=0) for c, s in columns])
        weight = max(float(((self.draws - 1) ** 2).sum()), _ENOUGH)
        return np.asarray(np.clip(misfits / weight, 0.0, 1.0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """Experts, or sets of experts, of every layer.

    Attributes:
        shares: [layers, columns] expected shares of the layer's assignments in this phase.
        limits: [columns] assignments one token can make to each.
        correlation: [layers, columns] how alike the draws of one prompt are.
        past: what was seen of them.
    """

    shares: NDArray[np.float64]
    limits: NDArray[np.int64]
    correlation: NDArray[np.float64]
    past: Past


def expert_columns(routing: Routing, shares: NDArray[np.float64], top_k: int) -> Columns:
    """Every expert alone."""
    past = _recorded(routing, top_k)
    return Columns(
        shares=_smoothed(shares, past),
        limits=np.ones(routing.shape[1], np.int64),
        correlation=past.correlation,
        past=past,
    )


def least_used_columns(
    routing: Routing, shares: NDArray[np.float64], order: NDArray[np.int64], top_k: int
) -> Columns:
    """The m least used experts of each layer, for m = 1..experts.

    Who is least used was told from the same few prompts that say how little that is, so both are
    too low. What a tenth of the prompts did to the sets that the other nine tenths would have
    chosen corrects them.

    Args:
        routing: past prompts.
        shares: [layers, experts] of the phase.
        order: [layers, experts] indices, least used first.
        top_k: experts each token visits in a layer.
    """
    experts = _recorded(routing, top_k)
    sums = np.cumsum(np.take_along_axis(_smoothed(shares, experts), order, axis=1), axis=1)
    past = _foretold(experts)
    return Columns(
        shares=np.minimum(sums * _optimism(experts, past), 1.0),
        limits=np.minimum(np.arange(1, routing.shape[1] + 1), top_k),
        correlation=past.correlation,
        past=past,
    )


def use_order(prefill: NDArray[np.float64], decode: NDArray[np.float64]) -> NDArray[np.int64]:
    """Experts of each layer, least used first (the order of u_lk); ties go by index.

    Args:
        prefill: [layers, experts] expected assignments of a prompt.
        decode: the same of an answer.
    """
    return np.argsort(prefill + decode, axis=1, kind="stable")


def misfit(
    counts: NDArray[np.float32], draws: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What each prompt adds to the numerator of the correlation, [n, columns] of one layer."""
    drawn = draws[:, None]
    variance = np.maximum(shares * (1 - shares), _ENOUGH)
    beyond = (counts - drawn * shares) ** 2 / variance - drawn
    return np.asarray((drawn - 1) / drawn * beyond)


def _recorded(routing: Routing, top_k: int) -> Past:
    used = np.flatnonzero(routing.sample_tokens)[-MAX_PROMPTS:]
    draws = routing.sample_tokens[used].astype(np.float64) * top_k
    return Past(counts=routing.samples[used].astype(np.float32), draws=draws)


def _foretold(experts: Past) -> Past:
    """Counts of the m least used experts, m = 1..experts, as other prompts tell who they are."""
    found = np.zeros(experts.counts.shape, np.float32)
    for fold in range(min(_FOLDS, len(found))):
        others = np.arange(len(found)) % _FOLDS != fold
        order = np.argsort(experts.counts[others].sum(axis=0), axis=1, kind="stable")
        ranked = np.take_along_axis(experts.counts[~others], order[None], axis=2)
        found[~others] = np.cumsum(ranked, axis=2)
    return Past(counts=found, draws=experts.draws)


def _optimism(experts: Past, foretold: Past) -> NDArray[np.float64]:
    """By how much the sets' shares are too low, [layers, columns]; at least 1."""
    naive = np.cumsum(np.sort(experts.shares, axis=1), axis=1)
    draw = _HALF / max(float(experts.draws.sum()), 1.0)
    return np.maximum((foretold.shares + draw) / (naive + draw), 1.0)


def _smoothed(shares: NDArray[np.float64], past: Past) -> NDArray[np.float64]:
    """Shares with half a draw more for every expert."""
    drawn = max(float(past.draws.sum()), 1.0)
    return np.asarray((shares * drawn + _HALF) / (drawn + _HALF * shares.shape[1]))


def left_out_shares(
    counts: NDArray[np.float32], draws: NDArray[np.float64], experts: int
) -> NDArray[np.float64]:
    """Each prompt's smoothed shares as all the others have them, [n, columns] of one layer."""
    others = draws.sum() - draws[:, None]
    total = counts.sum(axis=0, dtype=np.float64)
    return np.asarray((total - counts + _HALF) / (others + _HALF * experts))


def left_out_correlation(
    counts: NDArray[np.float32], draws: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Each prompt's correlation as all the others have it, [n, columns] of one layer."""
    each, weights = misfit(counts, draws, shares), (draws[:, None] - 1) ** 2
    found = (each.sum(axis=0) - each) / np.maximum(weights.sum() - weights, _ENOUGH)
    return np.asarray(np.clip(found, 0.0, 1.0))
