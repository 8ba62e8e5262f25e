"""Which of a main model's ready replicas takes the next request of this gateway.

Counts what this gateway has in flight; what other gateways send cannot be seen here, and spreads
out the same way.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from remoe_functions.runtime.state import Replica

# A replica that failed is passed over for so long, where there is another.
COOLING_SECONDS = 5.0
_REMEMBERED = 256


class ReplicaLoad:
    """One part's replicas by their work. Belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._running = Counter[str]()
        self._turns: dict[str, int] = {}
        self._turn = itertools.count(1)
        self._failed_at: dict[str, float] = {}

    def running(self, replica_id: str) -> int:
        """Requests that a replica works on now."""
        return self._running[replica_id]

    def choose(self, replicas: Sequence[Replica]) -> Replica | None:
        """The one with the fewest requests, of equals the one whose turn is longest ago.

        One that failed just now is chosen only where all did. None where there are none.
        """
        return min(replicas, key=self._rank, default=None)

    @contextmanager
    def taking(self, replica_id: str) -> Iterator[None]:
        """Count a request that a replica works on."""
        self._running[replica_id] += 1
        self._turns.pop(replica_id, None)
        self._turns[replica_id] = next(self._turn)
        _forget_oldest(self._turns)
        try:
            yield
        finally:
            self._running[replica_id] -= 1
            if not self._running[replica_id]:
                del self._running[replica_id]

    def failed(self, replica_id: str) -> None:
        """Pass a replica over for a while."""
        self._failed_at.pop(replica_id, None)
        self._failed_at[replica_id] = self._clock()
        _forget_oldest(self._failed_at)

    def answered(self, replica_id: str) -> None:
        """It works after all."""
        self._failed_at.pop(replica_id, None)

    def _rank(self, replica: Replica) -> tuple[bool, int, int]:
        failed_at = self._failed_at.get(replica.id)
        cooling = failed_at is not None and self._clock() - failed_at < COOLING_SECONDS
        return cooling, self._running[replica.id], self._turns.get(replica.id, 0)


def _forget_oldest(known: dict[str, int] | dict[str, float]) -> None:
    if len(known) > _REMEMBERED:
        del known[next(iter(known))]
