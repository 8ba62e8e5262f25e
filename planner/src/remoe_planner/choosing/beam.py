"""Picks layer by layer, of which the cheapest of every size survives (dynamic programming).

What is promised is not asked: partial picks are told apart by how much of each limited amount they
take, and the cheapest of those that take as much goes on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remoe_planner.choosing.choices import Choices


def beam(
    choices: Choices,
    *,
    weights: NDArray[np.float64],
    limited: tuple[int, ...],
    width: int,
) -> NDArray[np.intp]:
    """[n, layers - 1], picks of all layers but the last.

    Args:
        choices: the table.
        weights: [amounts], of the cost by which picks of one size are compared.
        limited: the amounts that a promise may limit.
        width: partial picks that survive a layer at most.
    """
    costs = np.tensordot(weights, choices.amounts, axes=1)
    bins = max(int(width ** (1 / len(limited))), 2)
    picks = np.zeros((1, 0), np.intp)
    cost, taken = np.zeros(1), np.zeros((len(limited), 1))
    for layer in range(choices.layers - 1):
        added = choices.amounts[list(limited), layer]
        cost = (cost[:, None] + costs[layer]).ravel()
        taken = (taken[:, :, None] + added[:, None, :]).reshape(len(limited), -1)
        kept = _survivors(cost, taken, bins)
        options = choices.amounts.shape[2]
        picks = np.column_stack([picks[kept // options], kept % options])
        cost, taken = cost[kept], taken[:, kept]
    return picks


def _survivors(
    cost: NDArray[np.float64], taken: NDArray[np.float64], bins: int
) -> NDArray[np.intp]:
    """The cheapest of every bin, in the order of the bins."""
    low = taken.min(axis=1, keepdims=True)
    span = np.maximum(taken.max(axis=1, keepdims=True) - low, 1e-300)
    # Denser where little is taken: that is where promises are tight.
    places = np.minimum((np.sqrt((taken - low) / span) * bins).astype(np.intp), bins - 1)
    cells = np.ravel_multi_index(tuple(places), (bins,) * len(taken))
    order = np.lexsort((cost, cells))
    first = np.append(True, np.diff(cells[order]) > 0)
    return np.asarray(order[first])
