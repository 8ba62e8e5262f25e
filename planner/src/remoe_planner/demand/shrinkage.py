"""Shares told from few requests, drawn towards even ones as far as the requests disagree.

Whoever takes the experts with the least recorded use finds them used more than recorded: some were
only lucky. Of real routing of DeepSeek-V2-Lite, the half of the experts least used in 20 prompts
has 35 % of the assignments in those and 45 % in others; from shares shrunk so, 40 % are expected;
from 100 prompts on both agree within 1 %.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MOST_REQUESTS = 256


def shrunk_shares(counts: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Each layer's shares, [layers, experts], rows summing to 1 (James-Stein, by layer).

    A layer's shares move towards even ones by the ratio of their own uncertainty, as told by the
    spread between requests, to their spread over the experts.

    Args:
        counts: [requests, layers, experts], assignments.

    Returns:
        Even shares for a layer in which nothing was recorded; for a single request its own
        shares, of which nothing tells the uncertainty.
    """
    even = 1 / counts.shape[2]
    total = counts.sum(axis=0, dtype=np.float64)
    sums = total.sum(axis=1, keepdims=True)
    mean = np.divide(total, sums, out=np.full(total.shape, even), where=sums > 0)
    spread = ((mean - even) ** 2).sum(axis=1)
    doubt = _doubt(counts, mean)
    drawn = np.clip(np.divide(doubt, spread, out=np.zeros_like(doubt), where=spread > 0), 0, 1)
    return np.asarray(mean + drawn[:, None] * (even - mean))


def _doubt(counts: NDArray[np.uint32], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared error of each layer's shares, summed over its experts, [layers].

    Told by a bounded number of requests, spread over all; longer requests weigh more.
    """
    weights = counts.sum(axis=(1, 2), dtype=np.float64)
    step = max(1, -(-len(counts) // _MOST_REQUESTS))
    some, own = counts[::step].astype(np.float64), weights[::step]
    whole = weights.sum()
    if len(some) < 2 or not whole:
        return np.zeros(len(mean))
    sums = some.sum(axis=2, keepdims=True)
    shares = np.divide(some, sums, out=np.broadcast_to(mean, some.shape).copy(), where=sums > 0)
    apart = np.einsum("nlk,nlk->nl", shares - mean, shares - mean)
    # The requests looked at stand for all of them, with their weights.
    squares = (own**2 @ apart) * (weights**2).sum() / max((own**2).sum(), 1e-300)
    return np.asarray(squares / whole**2 * len(counts) / (len(counts) - 1))
