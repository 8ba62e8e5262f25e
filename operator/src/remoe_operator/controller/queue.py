"""The queue of what is due: each key once, one worker at a time for each, later after errors.

By hand: asyncio's queues neither merge equal items nor keep two workers off one of them, and
kopf's own are per object of the cluster, where one service has dozens.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from itertools import count
from time import monotonic
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long a key waits after errors: the first wait, doubled with each, up to the most."""

    first_seconds: float = 0.5
    most_seconds: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.first_seconds <= self.most_seconds:
            raise ValueError(f"backoff must satisfy 0 < first <= most, got {self}")

    def after(self, failures: int) -> float:
        """Seconds to wait after so many errors in a row."""
        return min(self.first_seconds * 2.0 ** min(failures - 1, 30), self.most_seconds)


class WorkQueue(Generic[K]):
    """Keys that are due, now or later.

    A key that is added while a worker has it is due again when the worker is done, so that
    nothing that happened meanwhile is missed.

    Args:
        backoff: between tries of a key that fails.
        settle_seconds: how long a key waits for company, so that a burst of events is one pass.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        *,
        backoff: Backoff | None = None,
        settle_seconds: float = 0.25,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._backoff, self._settle, self._clock = backoff or Backoff(), settle_seconds, clock
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._taken: set[K] = set()
        self._again: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._count = count()
        self._changed = asyncio.Event()

    def add(self, key: K, *, after_seconds: float = 0.0) -> None:
        """Make a key due, unless it is due earlier already."""
        moment = self._clock() + max(after_seconds, self._settle)
        if key in self._taken:
            self._again[key] = min(moment, self._again.get(key, moment))
            return
        if moment >= self._due.get(key, float("inf")):
            return
        self._due[key] = moment
        heapq.heappush(self._heap, (moment, next(self._count), key))
        self._changed.set()

    async def take(self) -> K:
        """Wait for a key that is due, and hold it until `done` or `failed`."""
        while True:
            wait = self._wait_seconds()
            if wait is not None and wait <= 0:
                return self._pop()
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), wait)
            except TimeoutError:
                continue

    def done(self, key: K) -> None:
        """A key was dealt with."""
        self._failures.pop(key, None)
        self._release(key)

    def failed(self, key: K) -> float:
        """A key could not be dealt with; it is due again after a while, which is returned."""
        self._failures[key] = self._failures.get(key, 0) + 1
        wait = self._backoff.after(self._failures[key])
        self._again.pop(key, None)  # what happened meanwhile is no reason to hurry into an error
        self._release(key)
        self.add(key, after_seconds=wait)
        return wait

    def forget(self, key: K) -> None:
        """A key is of no interest anymore."""
        self._due.pop(key, None)
        self._failures.pop(key, None)

    def overdue_seconds(self) -> float:
        """How long the longest waiting key that is due has waited for a worker."""
        now = self._clock()
        return max((now - moment for moment in self._due.values()), default=0.0)

    def __len__(self) -> int:
        """Keys that are due now, and not in anybody's hands."""
        now = self._clock()
        return sum(moment <= now for moment in self._due.values())

    def _release(self, key: K) -> None:
        self._taken.discard(key)
        moment = self._again.pop(key, None)
        if moment is not None:
            self.add(key, after_seconds=moment - self._clock())

    def _wait_seconds(self) -> float | None:
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)  # it was made due earlier, or forgotten
        return self._heap[0][0] - self._clock() if self._heap else None

    def _pop(self) -> K:
        _, _, key = heapq.heappop(self._heap)
        del self._due[key]
        self._taken.add(key)
        return key
