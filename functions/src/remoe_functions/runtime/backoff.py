"""How long to wait before trying again. Pure: who waits, and on what clock, is the caller's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Delays that grow by a factor up to a bound.

    Attributes:
        first_seconds: delay after the first failure, >= 0.
        factor: growth from one failure to the next, >= 1.
        max_seconds: the longest delay, >= first_seconds.
    """

    first_seconds: float = 0.2
    factor: float = 2.0
    max_seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.first_seconds < 0:
            raise ValueError(f"first_seconds must be >= 0, got {self.first_seconds}")
        if self.factor < 1:
            raise ValueError(f"factor must be >= 1, got {self.factor}")
        if self.max_seconds < self.first_seconds:
            raise ValueError(f"max_seconds must be >= first_seconds, got {self.max_seconds}")

    def delay_seconds(self, failures: int) -> float:
        """The delay after so many failures in a row; 0 after none."""
        if failures <= 0:
            return 0.0
        # The exponent is bounded so that a part failing for days cannot overflow.
        return min(self.max_seconds, self.first_seconds * self.factor ** min(failures - 1, 64))
