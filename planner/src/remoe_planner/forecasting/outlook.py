"""A forecast together with how far it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.count_spread import CountSpread


class Basis(StrEnum):
    """What a forecast rests on."""

    PROMPT = "true counts of the prompt"
    JOINT = "tokens in context and the prompt's vector"
    CONTEXT = "tokens in context"
    VECTOR = "the prompt's vector"
    SIMILAR_PROMPTS = "similar prompts"
    MEAN = "mean of history"
    UNIFORM = "uniform"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How wrong a forecast is expected to be.

    Attributes:
        expected_divergence: mean of the Jensen-Shannon divergence (bits) to what will happen.
        log_spread: standard deviation of its natural logarithm; 0 where it was never measured.
    """

    expected_divergence: float
    log_spread: float = 0.0

    def divergence_quantile(self, z: float) -> float:
        """The divergence `z` standard deviations above its median (log-normal), at most 1 bit."""
        median = self.expected_divergence * np.exp(-(self.log_spread**2) / 2)
        return float(min(1.0, median * np.exp(z * self.log_spread)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlook:
    """How a prompt's tokens are expected to spread over the experts.

    Attributes:
        frequencies: [layers, experts], each row sums to 1 (the paper's S~).
        basis: what it rests on.
        evidence: past prompts or tokens that took part, in the unit of the basis.
        known: share of the prompt's tokens seen before, None where no token was looked at.
        trust: how far it is expected to be off, None where that was never measured.
        count_spread: how counts stray from those expected, None where that was never measured.
    """

    frequencies: NDArray[np.float64]
    basis: Basis
    evidence: float = 0.0
    known: float | None = None
    trust: Trust | None = None
    count_spread: CountSpread | None = None

    def count_interval(
        self, tokens: int, top_k: int, level: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Fewest and most tokens each expert may get, [layers, experts]; None if never measured.

        Raises:
            ValueError: the level is neither 0.5 nor 0.9.
        """
        if self.count_spread is None:
            return None
        return self.count_spread.interval(self.frequencies * tokens * top_k, tokens, level)


def uniform_outlook(table: tuple[int, int]) -> Outlook:
    """An even spread, for when nothing is known."""
    return Outlook(frequencies=np.full(table, 1 / table[1]), basis=Basis.UNIFORM)


def distribution(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights [layers, experts] as shares of each row; even where a row has none."""
    positive = np.maximum(weights, 0.0)
    totals = positive.sum(axis=-1, keepdims=True)
    even = np.full(positive.shape, 1 / positive.shape[-1])
    return np.asarray(np.divide(positive, totals, out=even, where=totals > 0))
