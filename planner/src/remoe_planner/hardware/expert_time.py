"""How long one expert takes, by rows and by the cores that memory buys."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remoe_planner.hardware.curve import Curve


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertTime:
    """The paper's tau_c(n) and t_c as one surface: rows by cores.

    Between two measured numbers of cores the speed is interpolated; below the fewest a share of a
    core is that share of its speed; above the most nothing is gained.

    Attributes:
        cores: numbers of cores measured, ascending, > 0.
        curves: seconds by rows at each of them.
    """

    cores: tuple[float, ...]
    curves: tuple[Curve, ...]

    def __post_init__(self) -> None:
        if not self.cores or len(self.cores) != len(self.curves):
            raise ValueError(
                f"expert time needs a curve for each number of cores, "
                f"got {len(self.cores)} and {len(self.curves)}"
            )
        if not all(math.isfinite(count) and count > 0 for count in self.cores):
            raise ValueError(f"expert time: cores must be > 0, got {self.cores}")
        if any(b <= a for a, b in pairwise(self.cores)):
            raise ValueError(f"expert time: cores must be ascending, got {self.cores}")

    @classmethod
    def on_one_core(cls, curve: Curve) -> ExpertTime:
        """As measured on one core, more of which do not help."""
        return cls(cores=(1.0,), curves=(curve,))

    def seconds(self, rows: ArrayLike, cores: ArrayLike) -> NDArray[np.float64]:
        """Seconds for these rows on these cores, of the shape that both broadcast to."""
        # Curves are read at the rows as given: what they broadcast to can be much larger.
        asked = np.asarray(rows, np.float64)
        return np.asarray(np.where(asked > 0, self.seconds_at(self.speeds(asked), cores), 0.0))

    def near(self, cores: float) -> ExpertTime:
        """What of it is needed for one number of cores: two curves at most."""
        place = max(bisect_right(self.cores, cores) - 1, 0)
        last = place if cores <= self.cores[place] else place + 1
        kept = slice(place, last + 1)
        return ExpertTime(cores=self.cores[kept], curves=self.curves[kept])

    def speeds(self, rows: ArrayLike) -> tuple[NDArray[np.float64], ...]:
        """One over the seconds of these rows, by every number of cores measured."""
        asked = np.asarray(rows, np.float64)
        return tuple(1.0 / np.maximum(curve.at(asked), _TINY) for curve in self.curves)

    def seconds_at(
        self, speeds: tuple[NDArray[np.float64], ...], cores: ArrayLike
    ) -> NDArray[np.float64]:
        """Seconds on these cores of rows whose `speeds` are known."""
        given = np.asarray(cores, np.float64)
        speed = speeds[0] * np.minimum(given / self.cores[0], 1.0)
        for (low, high), (slow, fast) in zip(pairwise(self.cores), pairwise(speeds), strict=True):
            speed = speed + (fast - slow) * np.clip((given - low) / (high - low), 0.0, 1.0)
        return np.asarray(1.0 / np.maximum(speed, _TINY))


_TINY = 1e-30
