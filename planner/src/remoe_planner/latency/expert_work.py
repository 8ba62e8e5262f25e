"""Expected seconds of many experts' rows on any cores: curves are read once, for all placements."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remoe_planner.hardware.expert_time import ExpertTime


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExpertWork:
    """What `expected_expert_seconds` needs of rows, before it is known who computes them.

    Attributes:
        time: of one expert.
        hit: [...], the chance that each expert has any row.
        speeds: [...] for each number of cores measured, of the rows that it has then; [] where
            they are the same for all experts.
    """

    time: ExpertTime
    hit: NDArray[np.float64]
    speeds: tuple[NDArray[np.float64], ...]

    @classmethod
    def of(cls, time: ExpertTime, hit: NDArray[np.float64], given: NDArray[np.float64]) -> Self:
        """Of chances to be hit and the rows then (`hit_and_rows`); one number may be for all."""
        return cls(time=time, hit=hit, speeds=time.speeds(given))

    def seconds(self, cores: ArrayLike) -> NDArray[np.float64]:
        """Expected seconds on cores that broadcast to the experts."""
        return np.asarray(self.hit * self.time.seconds_at(self.speeds, cores))

    def seconds_on(self, cores: float) -> NDArray[np.float64]:
        """The same on one number of cores, for which two curves are enough."""
        known = self.time.cores
        place = bisect_right(known, cores) - 1
        if place < 0:
            return np.asarray(self.hit / np.maximum(self.speeds[0] * (cores / known[0]), _TINY))
        speed = self.speeds[place]
        if place + 1 < len(known):
            share = (cores - known[place]) / (known[place + 1] - known[place])
            speed = speed + (self.speeds[place + 1] - speed) * share
        return np.asarray(self.hit / np.maximum(speed, _TINY))

    @property
    def alike(self) -> bool:
        """Whether an expert that is hit takes as long as any other."""
        return not any(speed.ndim for speed in self.speeds)

    def seconds_in(
        self, cores: NDArray[np.float64], homes: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """The same in functions with these cores, [functions], two curves for each expert.

        Args:
            cores: of the functions.
            homes: int [...], the function of each expert, numbered from 1; what 0 comes to means
                nothing.
        """
        known = np.array(self.time.cores)
        given = np.concatenate((known[:1], cores))
        below = np.clip(np.searchsorted(known, given, side="right") - 1, 0, len(known) - 1)
        above = np.minimum(below + 1, len(known) - 1)
        step = np.where(above > below, known[above] - known[below], 1.0)
        share = np.clip((given - known[below]) / step, 0.0, 1.0)
        # Below the fewest cores a share of them has that share of the speed.
        part = np.minimum(given / known[0], 1.0)
        table = np.stack([np.broadcast_to(speed, homes.shape) for speed in self.speeds])
        flat, experts = table.reshape(-1), np.arange(homes.size).reshape(homes.shape)
        slow = flat[experts + (below * homes.size)[homes]] * (part * (1 - share))[homes]
        fast = flat[experts + (above * homes.size)[homes]] * (part * share)[homes]
        return np.asarray(self.hit / np.maximum(slow + fast, _TINY))

    def ordered(self, places: NDArray[np.intp]) -> Self:
        """The same of the experts at these places, in the shape of the places."""
        speeds = (speed.ravel()[places] if speed.ndim else speed for speed in self.speeds)
        return type(self)(time=self.time, hit=self.hit.ravel()[places], speeds=tuple(speeds))


_TINY = 1e-30
