"""The bounds on how many tokens reach an expert or a set of experts, by name, and their seam."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Bound(StrEnum):
    """How many of n tokens may reach an expert, chosen by a value."""

    PRINTED = "printed"
    """Theorem 1 and Corollary 1 as printed: too small by sqrt(2), and by k in the mean."""

    CORRECTED = "corrected"
    """The same with Hoeffding's constant and the mean of top-k routing."""

    SHARE_AWARE = "share-aware"
    """Chernoff's exponent at each expert's own share, tokens of a prompt being alike."""

    QUANTILE = "quantile"
    """The same shape, its exponent the empirical quantile over past prompts (conformal)."""


class Reach(StrEnum):
    """Of what a bound is promised."""

    EACH = "each"
    """Every expert and every set alone."""

    ALL = "all"
    """All experts of all layers (or all sets of one size) together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """How sure a bound is, and of what.

    Attributes:
        confidence: the chance that the bound holds, between 0 and 1 (the paper's 0.95).
        reach: of what it is promised.
    """

    confidence: float = 0.95
    reach: Reach = Reach.EACH

    def __post_init__(self) -> None:
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence must be between 0 and 1, got {self.confidence}")

    def exponent(self, events: int) -> float:
        """ln(1/delta): the exponent a tail may have, delta shared out where all must hold."""
        delta = 1 - self.confidence
        return math.log((events if self.reach is Reach.ALL else 1) / delta)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Limits:
    """The most that a number of tokens asks of experts.

    Attributes:
        experts: [layers, experts] tokens at each expert.
        least_used: [layers, experts + 1] assignments at the m least used experts of each layer,
            for m = 0..experts; never falling along a row.
    """

    experts: NDArray[np.float64]
    least_used: NDArray[np.float64]


class TokenBounds(Protocol):
    """Bounds for one model, one phase and one promise; made once per history, asked per request."""

    def at(self, tokens: int) -> Limits:
        """The limits of so many tokens.

        Raises:
            ValueError: tokens is negative.
        """


def of_sets(
    sets: NDArray[np.float64], experts: NDArray[np.float64], order: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Limits of sets of 0..experts from those of 1..experts, as far as they go together.

    No set has more than its experts alone, and none less than a set that it contains.

    Args:
        sets: [layers, experts] limits of the m least used experts, m = 1..experts.
        experts: [layers, experts] limits of each expert.
        order: [layers, experts] indices, least used first.
    """
    alone = np.cumsum(np.take_along_axis(experts, order, axis=1), axis=1)
    return np.maximum.accumulate(np.pad(np.minimum(sets, alone), ((0, 0), (1, 0))), axis=1)


def set_limits(experts: int, top_k: int) -> NDArray[np.int64]:
    """Assignments one token can make to m experts, for m = 0..experts: min(k, m)."""
    return np.minimum(np.arange(experts + 1), top_k)


def check_tokens(tokens: int) -> None:
    """Raises ValueError where a number of tokens is negative."""
    if tokens < 0:
        raise ValueError(f"tokens must be >= 0, got {tokens}")
