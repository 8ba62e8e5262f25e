"""How long one job may be tried again. The clock is an argument."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from remoe_functions.gateway.errors import NotReady

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Bounds on trying again.

    Attributes:
        wait_seconds: how long a main that takes nothing on is tried, > 0.
        max_resumes: times a job is carried over after main died on it, >= 0.
        clock: seconds, monotonic.
    """

    wait_seconds: float
    max_resumes: int
    clock: Clock = time.monotonic

    def __post_init__(self) -> None:
        if self.wait_seconds <= 0 or self.max_resumes < 0:
            raise ValueError(f"wait_seconds must be > 0 and max_resumes >= 0, got {self}")

    def begin(self) -> Attempts:
        """Start trying."""
        return Attempts(ends_at=self.clock() + self.wait_seconds, clock=self.clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """One stretch of trying, until `ends_at`."""

    ends_at: float
    clock: Clock

    def check(self, trouble: str) -> None:
        """Go on only while there is time.

        Raises:
            NotReady: there is none; says what the trouble was.
        """
        if self.clock() >= self.ends_at:
            raise NotReady(trouble)
