"""Undo of over-caution: a sum of shrunken estimates is flatter than what then happens.

Each row is raised to a power, more for short prompts, whose true spread is spikier. Fitted on the
history, each prompt forecast without itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.divergences import layer_divergences
from remoe_planner.forecasting.outlook import distribution

_POWERS = np.array([0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.65, 1.8, 2.0])
_SLOPES = (-0.3, -0.25, -0.2, -0.15, -0.1, -0.05, 0.0)
_REFERENCE = float(np.log(32))
_FLOOR = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sharpening:
    """The power of each layer at 32 tokens, and its change with the logarithm of the tokens."""

    powers: NDArray[np.float64]
    slope: float

    @classmethod
    def none(cls, layers: int) -> Sharpening:
        return cls(powers=np.ones(layers), slope=0.0)

    def apply(self, frequencies: NDArray[np.float64], tokens: int) -> NDArray[np.float64]:
        """Sharpened frequencies [layers, experts] of a prompt of so many tokens."""
        offset = self.slope * (np.log(max(tokens, 1)) - _REFERENCE)
        powers = np.clip(self.powers + offset, _POWERS[0], _POWERS[-1])
        return distribution(np.maximum(frequencies, _FLOOR) ** powers[:, None])

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        return {"powers": self.powers, "slope": np.array(self.slope)}

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]]) -> Sharpening:
        return cls(powers=arrays["powers"], slope=float(arrays["slope"]))


def fit_sharpening(
    forecasts: NDArray[np.float64], actual: NDArray[np.float64], tokens: NDArray[np.int64]
) -> Sharpening:
    """The least divergent powers.

    Args:
        forecasts: [prompts, layers, experts] unsharpened, each made without its own prompt.
        actual: the same of what happened.
        tokens: [prompts] lengths.
    """
    floored = np.maximum(forecasts, _FLOOR)
    grid = np.stack(
        [layer_divergences(distribution(floored**power), actual) for power in _POWERS], axis=-1
    )
    offsets = np.log(np.maximum(tokens, 1)) - _REFERENCE
    choices = [_best_powers(grid, slope * offsets) for slope in _SLOPES]
    best = int(np.argmin([loss for _, loss in choices]))
    return Sharpening(powers=choices[best][0], slope=_SLOPES[best])


def _best_powers(
    grid: NDArray[np.float64], offsets: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Each layer's best power given the prompts' offsets, and the loss then."""
    losses = np.stack([_interpolated(grid, power + offsets) for power in _POWERS])
    best = losses.argmin(axis=0)
    return _POWERS[best], float(losses.min(axis=0).sum())


def _interpolated(grid: NDArray[np.float64], powers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean divergence of each layer with each prompt at its own power, [layers]."""
    inside = np.clip(powers, _POWERS[0], _POWERS[-1])
    low = np.clip(np.searchsorted(_POWERS, inside, side="right") - 1, 0, len(_POWERS) - 2)
    share = (inside - _POWERS[low]) / (_POWERS[low + 1] - _POWERS[low])
    rows = np.arange(len(grid))
    between = grid[rows, :, low] * (1 - share)[:, None] + grid[rows, :, low + 1] * share[:, None]
    return np.asarray(between.mean(axis=0))
