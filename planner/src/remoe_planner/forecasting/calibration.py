"""How far forecasts are off, learned from forecasts of past prompts made without themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.outlook import Trust

_RIDGE = 0.1
_LEAST = 1e-4
_TINY = 1e-9
_ROUNDS = 25
_MIDDLE_HALF = 1.349  # of a normal distribution, in standard deviations


class Signs(Protocol):
    """What a forecast stood on, as numbers."""

    @property
    def signs(self) -> tuple[float, ...]:
        """What the expected divergence is a log-linear function of; the first is 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What a forecast from tokens stood on.

    Attributes:
        tokens: length of the prompt.
        unknown: share of its tokens never seen, 0 to 1.
        paired: mean share of a token's estimate decided by its exact context, 0 to 1.
        entropy: mean entropy of the forecast's layers, in bits.
    """

    tokens: int
    unknown: float
    paired: float
    entropy: float

    @property
    def signs(self) -> tuple[float, ...]:
        """What the expected divergence is a log-linear function of."""
        length = float(np.log(max(self.tokens, 1)))
        return 1.0, length, length**2, self.unknown, self.paired, self.entropy


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """A log-normal model of the divergence: coefficients of `signs`, and its spread."""

    coefficients: NDArray[np.float64]
    log_spread: float

    def trust(self, support: Signs) -> Trust:
        center = float(np.dot(support.signs, self.coefficients))
        expected = float(np.exp(center + self.log_spread**2 / 2))
        return Trust(expected_divergence=min(1.0, expected), log_spread=self.log_spread)

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        return {"coefficients": self.coefficients, "log_spread": np.array(self.log_spread)}

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]]) -> Calibration:
        return cls(coefficients=arrays["coefficients"], log_spread=float(arrays["log_spread"]))


def fit_calibration(supports: Sequence[Signs], divergences: NDArray[np.float64]) -> Calibration:
    """Quasi-Poisson regression of the divergences [prompts]: unbiased in bits, not in logarithms.

    A few forecasts that hit by luck would bend a fit of the logarithms; the spread is taken from
    the middle half of the residuals for the same reason.
    """
    signs = np.array([support.signs for support in supports])
    logs = np.log(np.maximum(divergences, _LEAST))
    coefficients = np.zeros(signs.shape[1])
    coefficients[0] = np.log(max(float(divergences.mean()), _LEAST))
    for _ in range(_ROUNDS):
        coefficients = _reweighted(signs, divergences, coefficients)
    low, high = np.quantile(logs - signs @ coefficients, (0.25, 0.75))
    return Calibration(coefficients=coefficients, log_spread=float((high - low) / _MIDDLE_HALF))


def _reweighted(
    signs: NDArray[np.float64], divergences: NDArray[np.float64], coefficients: NDArray[np.float64]
) -> NDArray[np.float64]:
    """One round of iteratively reweighted least squares, its weights averaging 1."""
    linear = np.clip(signs @ coefficients, np.log(_LEAST), 0)
    expected = np.exp(linear)
    weights = expected / expected.mean()
    working = linear + (divergences - expected) / expected
    penalty = np.diag([_TINY] + [_RIDGE] * (signs.shape[1] - 1))
    gram = (signs.T * weights) @ signs + penalty
    return np.asarray(np.linalg.solve(gram, (signs.T * weights) @ working))
