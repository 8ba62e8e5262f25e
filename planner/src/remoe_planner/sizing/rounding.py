"""From sizes between bounds to sizes on offer, the budget of time kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remoe_planner.sizing.dual import SizingProblem


def round_to_grid(
    problem: SizingProblem,
    gib: NDArray[np.float64],
    grid_gib: NDArray[np.float64],
    budget_seconds: float | None,
) -> NDArray[np.float64]:
    """The cheaper neighbor on the grid in each layer, then up where time is bought cheapest.

    Args:
        problem: what was solved; its bounds hold for the result, if the grid has a size in them.
        gib: [layers], sizes between the bounds.
        grid_gib: [sizes], ascending.
        budget_seconds: summed remote time of a token at most; None for no bound.
    """
    least = np.minimum(np.searchsorted(grid_gib, problem.least_gib - _SLACK), len(grid_gib) - 1)
    most = np.searchsorted(grid_gib, problem.most_gib + _SLACK, side="right") - 1
    most = np.maximum(most, least)
    above = np.clip(np.searchsorted(grid_gib, gib - _SLACK), least, most)
    below = np.clip(above - 1, least, most)
    cheaper = problem.cost(grid_gib[below]) <= problem.cost(grid_gib[above])
    places = np.where(cheaper, below, above)
    if budget_seconds is not None:
        places = _repaired(problem, grid_gib, places, most, budget_seconds)
    return np.asarray(grid_gib[places])


def _repaired(
    problem: SizingProblem,
    grid_gib: NDArray[np.float64],
    places: NDArray[np.intp],
    most: NDArray[np.intp],
    budget_seconds: float,
) -> NDArray[np.intp]:
    """One size up where a second saved costs least, until the budget is kept or none is left."""
    places = places.copy()
    seconds = problem.seconds(grid_gib[places])
    while seconds.sum() > budget_seconds:
        up = np.minimum(places + 1, most)
        saved = seconds - problem.seconds(grid_gib[up])
        dearer = problem.cost(grid_gib[up]) - problem.cost(grid_gib[places])
        price = np.where(saved > 0, dearer / np.where(saved > 0, saved, 1.0), np.inf)
        best = int(np.argmin(price))
        if not np.isfinite(price[best]):
            break
        places[best] = up[best]
        seconds = problem.seconds(grid_gib[places])
    return places


_SLACK = 1e-9
