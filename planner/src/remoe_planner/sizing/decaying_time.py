"""Remote time as a decaying exponential of memory: theta1 * exp(-theta2 * y) + theta3."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar, nnls


@dataclass(frozen=True, slots=True, kw_only=True)
class DecayingTime:
    """T(y) = gain * exp(-rate * y) + floor, y in GiB.

    Attributes:
        gain_seconds: theta1, what more memory can save at most.
        rate_per_gib: theta2, how fast it saves.
        floor_seconds: theta3, what no memory saves.
    """

    gain_seconds: float
    rate_per_gib: float
    floor_seconds: float

    def at(self, gib: ArrayLike) -> NDArray[np.float64]:
        """Seconds with this many GiB."""
        decay = np.exp(-self.rate_per_gib * np.asarray(gib, np.float64))
        return np.asarray(self.gain_seconds * decay + self.floor_seconds)

    @classmethod
    def fit(cls, gib: ArrayLike, seconds: ArrayLike) -> DecayingTime:
        """Least squares, all three >= 0.

        For a given rate the other two are a linear problem, so the search is along one line.

        Raises:
            ValueError: fewer than two points, or they are not finite.
        """
        sizes, times = np.asarray(gib, np.float64), np.asarray(seconds, np.float64)
        if sizes.size < 2 or sizes.shape != times.shape:
            raise ValueError(f"a fit needs two points at least, got {sizes.size} and {times.size}")
        if not (np.all(np.isfinite(sizes)) and np.all(np.isfinite(times))):
            raise ValueError("a fit needs finite points")
        span = max(float(np.ptp(sizes)), 1e-9)
        best = minimize_scalar(
            lambda power: _linear(sizes, times, np.exp(power) / span)[1],
            bounds=(np.log(1e-3), np.log(1e3)),
            method="bounded",
        )
        rate = float(np.exp(best.x) / span)
        (gain, floor), _ = _linear(sizes, times, rate)
        return cls(gain_seconds=gain, rate_per_gib=rate, floor_seconds=floor)


def _linear(
    sizes: NDArray[np.float64], times: NDArray[np.float64], rate: float
) -> tuple[tuple[float, float], float]:
    """(gain, floor) for this rate, and what is left."""
    # Relative to the smallest size, or a high rate would make the column vanish.
    start = float(sizes.min())
    columns = np.stack([np.exp(-rate * (sizes - start)), np.ones_like(sizes)], axis=1)
    (gain, floor), left = nnls(columns, times)
    return (float(gain) * float(np.exp(min(rate * start, _MOST_POWER))), float(floor)), float(left)


_MOST_POWER = 700.0
