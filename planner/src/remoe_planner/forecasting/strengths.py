"""How much a vaguer estimate is worth against counts: fitted, each layer on its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.evidence import Evidence

_GRID = np.geomspace(0.25, 32, 22).astype(np.float32)


class StrengthLoss:
    """Squared errors of every strength on a grid, summed over tokens as they come.

    The estimate a * counts + (1 - a) * prior errs by a quadratic in a, so three sums per token and
    layer serve the whole grid.
    """

    def __init__(self, layers: int) -> None:
        self._losses = np.zeros((len(_GRID), layers))

    def add(
        self,
        evidence: Evidence,
        prior: NDArray[np.float32],
        actual: NDArray[np.float32],
        weight: float,
    ) -> None:
        """Judge the tokens of one prompt.

        Args:
            evidence: their counts.
            prior: [n, layers, experts] what is expected without the counts.
            actual: the same of what they did.
            weight: of each token.
        """
        seen = evidence.index < len(evidence.counts) - 1
        rows = evidence.index[seen]
        tokens = evidence.tokens[rows]
        means = evidence.counts[rows] / np.maximum(tokens, 1e-9)[..., None]
        off, prior_off = means - actual[seen], prior[seen] - actual[seen]
        squares = (off**2).sum(axis=2), (off * prior_off).sum(axis=2), (prior_off**2).sum(axis=2)
        for i, strength in enumerate(_GRID):
            a = tokens / (tokens + strength)
            error = a**2 * squares[0] + 2 * a * (1 - a) * squares[1] + (1 - a) ** 2 * squares[2]
            self._losses[i] += weight * error.sum(axis=0)

    def best(self) -> NDArray[np.float32]:
        """The strength of least loss, [layers]."""
        return np.asarray(_GRID[self._losses.argmin(axis=0)], np.float32)
