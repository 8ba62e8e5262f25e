"""The neighborhood of each token as numbers, from the tokens' learned embeddings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LAGS = 3
_FADE = 0.8
_PRIOR_TOKENS = 3
_FIRST_POSITIONS = 6
_EXTRAS = _FIRST_POSITIONS + 3


def feature_count(rank: int) -> int:
    """Width of `context_features` for embeddings of this width."""
    return rank * (_LAGS + 4) + _EXTRAS


def context_features(
    embeddings: NDArray[np.float32], positions: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Features of each token, [n, feature_count(rank)].

    The token, the three before it, a fading and a plain mean of all before it, the mean of the
    whole prompt (its topic; the forecaster knows it all), and where the token stands.

    Args:
        embeddings: [n, rank], tokens in order.
        positions: [n] their positions in the prompt.
    """
    n = len(embeddings)
    before = np.concatenate([np.zeros_like(embeddings[:1]), np.cumsum(embeddings, axis=0)[:-1]])
    ranks = np.arange(n, dtype=np.float32)[:, None]
    parts = [_lagged(embeddings, lag) for lag in range(_LAGS + 1)]
    parts.append(np.asarray(before / (ranks + _PRIOR_TOKENS), np.float32))
    parts.append(_fading(embeddings))
    whole = embeddings.sum(axis=0) / (n + _PRIOR_TOKENS)
    parts.append(np.broadcast_to(whole, embeddings.shape))
    parts.append(_position_features(positions))
    return np.concatenate(parts, axis=1, dtype=np.float32)


def spread_positions(n: int, limit: int) -> NDArray[np.int64]:
    """Up to about `limit` positions of 0..n-1: all, or whole runs evenly spread."""
    if n <= limit:
        return np.arange(n)
    run = max(1, limit // 8)
    starts = np.linspace(0, n - run, limit // run).astype(np.int64)
    return np.unique(starts[:, None] + np.arange(run))


def _lagged(embeddings: NDArray[np.float32], lag: int) -> NDArray[np.float32]:
    lagged = np.zeros_like(embeddings)
    lagged[lag:] = embeddings[: max(len(embeddings) - lag, 0)]
    return lagged


def _fading(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Exponentially fading mean of the 32 tokens before each, by doubling."""
    faded = (1 - _FADE) * _lagged(embeddings, 1)
    for reach in (1, 2, 4, 8, 16):
        faded = faded + _FADE**reach * _lagged(faded, reach)
    return faded


def _position_features(positions: NDArray[np.int64]) -> NDArray[np.float32]:
    columns = [positions == i for i in range(_FIRST_POSITIONS)]
    columns += [1 / (1 + positions), np.log1p(positions) / 8, np.ones(len(positions))]
    return np.stack(columns, axis=1).astype(np.float32)
