"""What one function has done since it was ready: the numbers behind its metrics and its bill."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from remoe_functions.wire.message import RefusalCode

GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A meter's numbers at one moment.

    Attributes:
        calls: calls answered.
        rows: token rows in them.
        pairs: (row, expert) pairs in them.
        busy_seconds: time spent on calls, refused ones included.
        idle_seconds: the rest of the time since the meter was started.
        busy_gib_seconds: memory given to the function, times `busy_seconds`.
        idle_gib_seconds: the same, times `idle_seconds`.
        refusals: calls and connections refused, by code.
    """

    calls: int
    rows: int
    pairs: int
    busy_seconds: float
    idle_seconds: float
    busy_gib_seconds: float
    idle_gib_seconds: float
    refusals: Mapping[str, int] = field(default_factory=dict)


class Meter:
    """Counts calls; any thread may write or read."""

    def __init__(self, memory_bytes: int) -> None:
        """Start counting; `memory_bytes` is what the function is given and billed for."""
        self._memory_gib = memory_bytes / GIB
        self._lock = threading.Lock()
        self.restart()

    def restart(self) -> None:
        """Forget everything and count from now."""
        with self._lock:
            self._started_at = time.monotonic()
            self._calls = self._rows = self._pairs = 0
            self._busy_seconds = 0.0
            self._refusals: Counter[str] = Counter()

    def answered(self, rows: int, pairs: int, busy_seconds: float) -> None:
        """Count an answered call."""
        with self._lock:
            self._calls += 1
            self._rows += rows
            self._pairs += pairs
            self._busy_seconds += busy_seconds

    def refused(self, code: RefusalCode) -> None:
        """Count a refusal, whoever in the process decided it."""
        with self._lock:
            self._refusals[code.name] += 1

    def spent(self, busy_seconds: float) -> None:
        """Count the time that a call took which got no answer in the end."""
        with self._lock:
            self._busy_seconds += busy_seconds

    def read(self) -> Reading:
        """The numbers now."""
        with self._lock:
            busy = self._busy_seconds
            idle = max(0.0, time.monotonic() - self._started_at - busy)
            return Reading(
                calls=self._calls,
                rows=self._rows,
                pairs=self._pairs,
                busy_seconds=busy,
                idle_seconds=idle,
                busy_gib_seconds=busy * self._memory_gib,
                idle_gib_seconds=idle * self._memory_gib,
                refusals=dict(self._refusals),
            )
