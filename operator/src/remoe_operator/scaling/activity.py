"""What a pod says of its work, as it answers `/activity`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One replica's work at one moment.

    Attributes:
        in_flight: requests, or calls, that it works at.
        waiting: requests that it holds and has not begun.
        idle_seconds: since the last one ended; 0 where it works.
        ready: whether it takes more; one that loads does not.
    """

    in_flight: int
    waiting: int
    idle_seconds: float
    ready: bool

    @property
    def load(self) -> int:
        return self.in_flight + self.waiting

    @property
    def is_busy(self) -> bool:
        return self.load > 0

    @classmethod
    def from_mapping(cls, said: Mapping[str, Any]) -> Activity:
        """Read an answer.

        Raises:
            ValueError: a field is missing or makes no sense.
        """
        try:
            made = cls(
                in_flight=int(said["in_flight"]),
                waiting=int(said["waiting"]),
                idle_seconds=float(said["idle_seconds"]),
                ready=said["ready"] is True,
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"not an activity: {error!r}") from error
        if made.in_flight < 0 or made.waiting < 0 or not math.isfinite(made.idle_seconds):
            raise ValueError("an activity's numbers must be finite, and its counts >= 0")
        return made
