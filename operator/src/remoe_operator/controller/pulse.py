"""Whether the operator is alive in what it is for: not whether its process runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long each thing may take before something is wrong.

    Attributes:
        beat_seconds: between two turns of the event loop.
        resync_seconds: between two full looks at all services.
        overdue_seconds: that a key may wait for a worker.
        watch_seconds: that the watch may lag behind what a look found.
    """

    beat_seconds: float = 30.0
    resync_seconds: float = 240.0
    overdue_seconds: float = 300.0
    watch_seconds: float = 240.0


class Pulse:
    """Marks of what finished when; read by another thread than the one that makes them.

    Args:
        patience: see there.
        clock: seconds that only grow.
    """

    def __init__(
        self, patience: Patience | None = None, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._patience, self._clock = patience or Patience(), clock
        self._lock = threading.Lock()
        self._beat = self._resync = clock()
        self._overdue = 0.0
        self._passed: float | None = None
        self._watched: dict[str, str] = {}
        self._behind: dict[str, tuple[str, float]] = {}

    def beat(self, overdue_seconds: float) -> None:
        """The event loop turned; this long a key has waited for a worker."""
        with self._lock:
            self._beat, self._overdue = self._clock(), overdue_seconds

    def passed(self) -> None:
        """A pass succeeded."""
        with self._lock:
            self._passed = self._clock()

    def watched(self, name: str, version: str | None) -> None:
        """The watch told of a service; of its end where there is no version."""
        with self._lock:
            if version is None:
                self._watched.pop(name, None)
            else:
                self._watched[name] = version
            self._behind.pop(name, None)

    def resynced(self, versions: Mapping[str, str]) -> None:
        """A full look found these services in these versions.

        One whose version the watch has not told of by the next look but one is a sign that the
        watch is dead, which nothing else shows.
        """
        with self._lock:
            now = self._clock()
            self._resync = now
            behind: dict[str, tuple[str, float]] = {}
            for name, version in versions.items():
                if self._watched.get(name) != version:
                    known = self._behind.get(name)
                    same = known is not None and known[0] == version
                    behind[name] = known if same and known is not None else (version, now)
            self._behind = behind

    def seconds_since_pass(self) -> float | None:
        """Since a pass last succeeded; None where none did."""
        with self._lock:
            return None if self._passed is None else self._clock() - self._passed

    def ailment(self) -> str | None:
        """What is wrong, in words; None where all is well."""
        with self._lock:
            now, patience = self._clock(), self._patience
            if now - self._beat > patience.beat_seconds:
                return f"the event loop has not turned for {now - self._beat:.0f} s"
            if now - self._resync > patience.resync_seconds:
                return f"services were last looked at {now - self._resync:.0f} s ago"
            if self._overdue > patience.overdue_seconds:
                return f"a pass has been due for {self._overdue:.0f} s"
            for name, (_, since) in self._behind.items():
                if now - since > patience.watch_seconds:
                    return f"the watch has not told of {name} for {now - since:.0f} s"
        return None
