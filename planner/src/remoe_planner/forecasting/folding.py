"""Wide vectors as fewer numbers that nearly keep their products: a count sketch.

Each number goes, with a sign, to one of the places; cosines of what differs between prompts move
by about one over the root of the places. Linear, so means and sums fold alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SEED = 6


class Folding:
    """The same places and signs for every vector of one width."""

    def __init__(self, width: int, most: int) -> None:
        """Vectors [width] become [min(width, most)]; those narrow enough stay as they are."""
        self.width = min(width, most)
        rng = np.random.default_rng(_SEED)
        self._order = rng.permutation(width)
        self._signs = rng.choice(np.array([-1, 1], np.float32), width)
        self._padding = -width % self.width

    def __call__(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """One vector, folded."""
        if len(vector) == self.width:
            return vector
        parts = np.pad((vector * self._signs)[self._order], (0, self._padding))
        return np.asarray(parts.reshape(-1, self.width).sum(axis=0), np.float32)
