"""Replicas by potential (eq. 15): one more where it is worth most, until the promise holds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def raise_by_potential(
    replicas: NDArray[np.int64],
    *,
    most: int,
    cost: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    worst_seconds: Callable[[NDArray[np.int64]], float],
    promised_seconds: float | None,
) -> NDArray[np.int64]:
    """Raise the layer with the largest potential C(z) - C(z + 1) by one, again and again.

    First until the worst case keeps the promise (of time to first token: replicas change nothing
    else, though the paper's text names the other), then while any potential is above zero.

    Args:
        replicas: [layers], to start from; 0 where a layer has no remote expert, and stays so.
        most: replicas of a layer at most (z_max).
        cost: each layer's part of the cost, [layers], at these replicas.
        worst_seconds: time to first token in the worst case at these replicas.
        promised_seconds: its bound; None where nothing is promised.

    Returns:
        [layers]; all at their most where no number keeps the promise.
    """
    replicas = replicas.copy()
    # Layers are free of each other, so one table holds every potential.
    costs = np.stack([cost(np.where(replicas > 0, z, 0)) for z in range(1, most + 1)])
    potentials = np.append(costs[:-1] - costs[1:], np.full_like(costs[:1], -np.inf), axis=0)
    layers = np.arange(len(replicas))
    while True:
        open_layers = (replicas > 0) & (replicas < most)
        if not open_layers.any():
            return replicas
        potential = np.where(open_layers, potentials[replicas - 1, layers], -np.inf)
        best = int(np.argmax(potential))
        # What pays is raised in any case: only where nothing does the promise is looked at.
        if potential[best] <= 0 and (
            promised_seconds is None or worst_seconds(replicas) <= promised_seconds
        ):
            return replicas
        replicas[best] += 1
