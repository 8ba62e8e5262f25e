"""The forecast of decode once the prompt's true counts are known.

The forecast becomes the prior, the counts the evidence: (counts + strength * forecast) over
(tokens + strength), the strength of each layer fitted on past requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.divergences import layer_divergences
from remoe_planner.forecasting.outlook import Basis, Outlook, distribution

# Up to where the counts of a long prompt no longer matter: some answers go their own way.
_GRID = np.geomspace(1, 2**20, 41)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Continuation:
    """One past request in two parts.

    Attributes:
        forecast: [layers, experts] what was expected of the rest before the first part ran.
        counts: [layers, experts] true assignments of the first part.
        rest: [layers, experts] true frequencies of the rest.
    """

    forecast: NDArray[np.float64]
    counts: NDArray[np.float64]
    rest: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AfterPrefill:
    """How many assignments a forecast is worth against true counts, [layers]."""

    strengths: NDArray[np.float64]

    def update(self, outlook: Outlook, counts: NDArray[np.float64]) -> Outlook:
        """The outlook for what follows, given the assignments [layers, experts] of what went by.

        Raises:
            ValueError: the counts are of another shape, or negative.
        """
        if counts.shape != outlook.frequencies.shape or np.any(counts < 0):
            raise ValueError(
                f"counts must be >= 0 of shape {outlook.frequencies.shape}, got {counts.shape}"
            )
        if not np.any(counts):
            return outlook
        return Outlook(
            frequencies=_posterior(outlook.frequencies, counts, self.strengths),
            basis=Basis.PROMPT,
            evidence=float(counts.sum(axis=1).mean()),
        )


def fit_after_prefill(past: Sequence[Continuation]) -> AfterPrefill:
    """The strengths of least mean divergence.

    Raises:
        ValueError: there are no past requests.
    """
    if not past:
        raise ValueError("past must hold at least one request, got none")
    losses = []
    for strength in _GRID:
        spread = [_posterior(c.forecast, c.counts, np.array(strength)) for c in past]
        actual = np.stack([c.rest for c in past])
        losses.append(layer_divergences(np.stack(spread), actual).mean(axis=0))
    return AfterPrefill(strengths=_GRID[np.argmin(np.stack(losses), axis=0)])


def _posterior(
    forecast: NDArray[np.float64], counts: NDArray[np.float64], strengths: NDArray[np.float64]
) -> NDArray[np.float64]:
    return distribution(counts + strengths[..., None] * forecast)
