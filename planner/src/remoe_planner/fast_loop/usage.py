"""How experts are used of late: a fading sum over requests, and how far it is from the plan's.

How far is far is told from the requests themselves: a mean of n requests strays from its truth by
an n-th of what single requests stray. Requests weigh by their tokens, as in `Routing.of`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from remoe_planner.demand.routing import Routing
from remoe_planner.divergence import jensen_shannon
from remoe_planner.forecasting.outlook import distribution

HALF_LIFE_REQUESTS = 100.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunningUsage:
    """Use of late.

    Attributes:
        counts: [layers, experts] fading sum of assignments.
        weight: fading sum of the requests' weights, their assignments in a layer.
        squares: fading sum of the squares of those.
        stray: the same, each times the request's divergence from the plan's shares, in bits.
        half_life_requests: after so many requests one counts half.
    """

    counts: NDArray[np.float64]
    weight: float = 0.0
    squares: float = 0.0
    stray: float = 0.0
    half_life_requests: float = HALF_LIFE_REQUESTS

    def __post_init__(self) -> None:
        if not self.half_life_requests > 0:
            raise ValueError(f"half_life_requests must be > 0, got {self.half_life_requests}")

    @classmethod
    def nothing(
        cls, shape: tuple[int, int], *, half_life_requests: float = HALF_LIFE_REQUESTS
    ) -> Self:
        """Before the first request."""
        return cls(counts=np.zeros(shape), half_life_requests=half_life_requests)

    def after(self, counts: NDArray[np.float64], planned: NDArray[np.float64]) -> Self:
        """With one more request.

        Args:
            counts: [layers, experts] its assignments.
            planned: [layers, experts] the shares that the plan in force was made from.

        Raises:
            ValueError: counts of another shape, or negative.
        """
        shape = self.counts.shape
        if counts.shape != shape or np.any(counts < 0):
            raise ValueError(f"counts must be >= 0 of shape {shape}, got {counts.shape}")
        if not counts.any():
            return self
        fade = 0.5 ** (1 / self.half_life_requests)
        own = float(counts.sum(axis=1).mean())
        stray = jensen_shannon(distribution(counts), planned)
        return replace(
            self,
            counts=self.counts * fade + counts,
            weight=self.weight * fade + own,
            squares=self.squares * fade**2 + own**2,
            stray=self.stray * fade**2 + own**2 * stray,
        )

    @property
    def requests(self) -> float:
        """Requests that the mean is worth: (sum of weights)^2 over the sum of their squares."""
        return self.weight**2 / self.squares if self.squares else 0.0

    @property
    def mean(self) -> NDArray[np.float64]:
        """[layers, experts] mean shares of late; even before the first request."""
        return distribution(self.counts)

    def shift(self, planned: NDArray[np.float64], planned_requests: float) -> Shift:
        """How far use of late is from what was planned for.

        Args:
            planned: [layers, experts] shares that the plan was made from.
            planned_requests: how many requests those rested on.
        """
        if not self.weight:
            return Shift(divergence=0.0, noise=float("inf"))
        single = self.stray / self.squares
        noise = single * (1 / self.requests + 1 / max(planned_requests, 1.0))
        return Shift(divergence=jensen_shannon(self.mean, planned), noise=noise)

    def routing(self) -> Routing:
        """The same as what a plan is made from; both phases alike."""
        empty = np.zeros((0, *self.counts.shape), np.uint32)
        return Routing(
            prefill=self.mean,
            decode=self.mean,
            samples=empty,
            sample_tokens=np.zeros(0, np.uint32),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A distance and the distance that chance alone makes, both in bits."""

    divergence: float
    noise: float

    def is_beyond(self, times: float) -> bool:
        """Whether it is more than so many times what chance makes."""
        return self.divergence > times * self.noise
