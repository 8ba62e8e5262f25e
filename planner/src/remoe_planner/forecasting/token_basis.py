"""The directions in which tokens' expert spreads differ most: what their embeddings are made of."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.context_keys import Context
from remoe_planner.forecasting.tables import Tables

_SEED = 20
_EXTRA = 16
_ROUNDS = 2


class BasisKnobs(Protocol):
    """What of the fit's knobs is used here."""

    @property
    def rank(self) -> int: ...
    @property
    def basis_tokens(self) -> int: ...


def token_basis(
    tables: Tables, strengths: NDArray[np.float32], knobs: BasisKnobs
) -> NDArray[np.float32]:
    """Leading right singular vectors of the most frequent tokens' estimates, [cells, rank].

    Scaled by top-k, so that an embedding is in expected experts rather than shares.
    """
    table = tables.by_token
    rows = table.most_seen(knobs.basis_tokens)
    counts, tokens = table.counts(rows), table.layer_sums(rows)
    mean, top_k = tables.mean(), tables.shape.top_k
    strength = strengths[Context.TOKEN]
    estimates = (counts / top_k + strength[:, None] * mean) / (tokens / top_k + strength)[..., None]
    weights = np.sqrt(tokens[:, :1] / top_k)
    matrix = ((estimates - mean).reshape(len(rows), -1) * weights).astype(np.float32)
    return _leading(matrix, min(knobs.rank, *matrix.shape)) * np.float32(top_k)


def _leading(matrix: NDArray[np.float32], rank: int) -> NDArray[np.float32]:
    """Randomized subspace iteration (Halko, Martinsson and Tropp, 2011), from a fixed seed."""
    width = min(rank + _EXTRA, *matrix.shape)
    start = np.random.default_rng(_SEED).standard_normal((matrix.shape[1], width))
    space = start.astype(np.float32)
    for _ in range(_ROUNDS):
        space, _ = np.linalg.qr(matrix.T @ (matrix @ space))
    _, _, right = np.linalg.svd(matrix @ space, full_matrices=False)
    return np.asarray((space @ right.T)[:, :rank], np.float32)
