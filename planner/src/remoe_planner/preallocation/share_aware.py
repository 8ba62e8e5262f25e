"""Bounds at each expert's own share, tokens of a prompt counting for fewer than they are.

A prompt's tokens resemble each other: of 500 tokens on one topic, far fewer than 500 independent
draws are seen. How alike they are is learned from past prompts, column by column (`sets`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remoe_planner.preallocation.bound import Limits, Promise, check_tokens, of_sets
from remoe_planner.preallocation.chernoff import effective_draws, highest_share
from remoe_planner.preallocation.sets import Columns


class ShareAwareBounds:
    """N q with KL(q || s) = ln(1/delta) / N_eff, where N = n k draws count as N_eff.

    In place of the paper's n/K each expert has its mean n k s, and in place of the range of a
    token's hits its variance.
    """

    def __init__(
        self,
        experts: Columns,
        sets: Columns,
        *,
        order: NDArray[np.int64],
        top_k: int,
        promise: Promise,
    ) -> None:
        layers, count = experts.shares.shape
        self._experts, self._sets, self._order, self._top_k = experts, sets, order, top_k
        self._expert_exponent = promise.exponent(layers * count)
        self._set_exponent = promise.exponent(layers)

    def at(self, tokens: int) -> Limits:
        check_tokens(tokens)
        experts = most_assignments(self._experts, tokens, self._top_k, self._expert_exponent)
        sets = most_assignments(self._sets, tokens, self._top_k, self._set_exponent)
        return Limits(experts=experts, least_used=of_sets(sets, experts, self._order))


def most_assignments(
    columns: Columns, tokens: int, top_k: int, exponent: ArrayLike
) -> NDArray[np.float64]:
    """Assignments of each column that Chernoff's exponent allows, [layers, columns].

    Args:
        columns: experts or sets.
        tokens: of the prompt.
        top_k: experts each token visits.
        exponent: [...] broadcast to [layers, columns].
    """
    if not tokens:
        return np.zeros(columns.shares.shape)
    draws = float(tokens * top_k)
    each = np.asarray(exponent, np.float64) / effective_draws(draws, columns.correlation)
    most = draws * highest_share(columns.shares, each)
    return np.asarray(np.minimum(most, tokens * columns.limits))
