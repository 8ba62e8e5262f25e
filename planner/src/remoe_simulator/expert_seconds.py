"""An expert's seconds by rows and by where it is computed, looked up instead of worked out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remoe_planner.estimating.placed import Placed
from remoe_planner.hardware.profile import HardwareProfile

_FIRST_ROWS = 64


class ExpertSeconds:
    """A table that grows with the rows asked for; homes are numbered as in `Placed`."""

    def __init__(self, placed: Placed, profile: HardwareProfile) -> None:
        self._profile = profile
        self._cores, kinds = np.unique(placed.cores, return_inverse=True)
        self._kind_of = np.concatenate(([0], kinds.ravel() + 1)).astype(np.intp)
        self._table = self._computed(_FIRST_ROWS)

    def at(self, homes: NDArray[np.intp], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Seconds of so many rows of an expert in each of these homes, 0 being the main model."""
        most = int(rows.max(initial=0))
        if most >= self._table.shape[1]:
            self._table = self._computed(2 * most)
        return np.asarray(self._table[self._kind_of[homes], rows])

    def _computed(self, most: int) -> NDArray[np.float64]:
        """[kinds, most + 1]."""
        rows, profile = np.arange(most + 1, dtype=np.float64), self._profile
        local = profile.local_expert.seconds(rows, profile.main_cores)
        remote = profile.remote_expert.seconds(rows, self._cores[:, None])
        return np.concatenate((local[None], remote))
