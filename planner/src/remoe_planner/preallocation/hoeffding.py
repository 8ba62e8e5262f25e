"""Bounds that know nothing of the history: the paper's Theorem 1 and Corollary 1.

Both take the gate for balanced and tokens for independent; real routing is neither.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from remoe_planner.preallocation.bound import Limits, Promise, check_tokens, set_limits


class PrintedBounds:
    """sqrt(3n)/2 + n/K, and sqrt(3n)/2 + m n/K for m experts (Theorem 1, Corollary 1).

    The 3 is ln(1/0.05) rounded; here it follows the confidence.
    """

    def __init__(self, shape: tuple[int, int], promise: Promise) -> None:
        self._shape = shape
        self._exponent = -math.log(1 - promise.confidence)

    def at(self, tokens: int) -> Limits:
        check_tokens(tokens)
        layers, experts = self._shape
        sizes = np.arange(experts + 1)
        most = math.sqrt(self._exponent * tokens) / 2 + sizes * tokens / experts
        most[0] = 0.0
        return Limits(experts=np.full(self._shape, most[1]), least_used=np.tile(most, (layers, 1)))


class CorrectedBounds:
    """sqrt(3n/2) + n k/K, and min(k, m) sqrt(3n/2) + m n k/K for m experts.

    Hoeffding: P(N - E[N] >= t) <= exp(-2 t^2 / n) for n tokens of at most one hit each, and
    exp(-2 t^2 / (n min(k, m)^2)) where one token can hit several of the set.
    """

    def __init__(self, shape: tuple[int, int], top_k: int, promise: Promise) -> None:
        self._shape = shape
        self._top_k = top_k
        self._expert_exponent = promise.exponent(shape[0] * shape[1])
        self._set_exponent = promise.exponent(shape[0])

    def at(self, tokens: int) -> Limits:
        check_tokens(tokens)
        mean = tokens * self._top_k / self._shape[1]
        most = min(math.sqrt(self._expert_exponent * tokens / 2) + mean, float(tokens))
        sets = np.tile(self._sets(tokens, most), (self._shape[0], 1))
        return Limits(experts=np.full(self._shape, most), least_used=sets)

    def _sets(self, tokens: int, one: float) -> NDArray[np.float64]:
        experts = self._shape[1]
        limits = set_limits(experts, self._top_k)
        means = np.arange(experts + 1) * tokens * self._top_k / experts
        most = limits * math.sqrt(self._set_exponent * tokens / 2) + means
        alone = one * np.arange(experts + 1)
        return np.asarray(np.minimum(np.minimum(most, alone), limits * tokens))
