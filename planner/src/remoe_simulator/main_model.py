"""The main model's life: asleep, starting, ready, idle. What it does is the engine's."""

from __future__ import annotations

from remoe_simulator.agenda import Agenda, Happening
from remoe_simulator.meter import Meter


class MainModel:
    """One replica.

    Attributes:
        ready: whether it takes requests.
        starts: cold starts so far.
    """

    def __init__(
        self,
        *,
        start_seconds: float,
        keep_alive_seconds: float | None,
        agenda: Agenda,
        meter: Meter,
    ) -> None:
        self._start_seconds = start_seconds
        self._keep_alive_seconds = keep_alive_seconds
        self._agenda, self._meter = agenda, meter
        self._ready_at: float | None = None
        self._idle_since = 0.0
        self.ready = keep_alive_seconds is None
        self.starts = 0
        if self.ready:
            meter.main_is_ready(0.0)

    @property
    def ready_in_seconds(self) -> float:
        """Until it takes requests, once it is called; 0 where it does."""
        if self.ready:
            return 0.0
        return self._start_seconds if self._ready_at is None else self._ready_at - self._agenda.now

    def call(self) -> None:
        """Wake it, where it sleeps."""
        if self.ready or self._ready_at is not None:
            return
        self.starts += 1
        self._ready_at = self._agenda.now + self._start_seconds
        self._meter.main_starts(self._agenda.now)
        self._agenda.put(self._ready_at, Happening.MAIN_READY)

    def became_ready(self) -> None:
        """Its start is over."""
        self.ready, self._ready_at = True, None
        self._meter.main_is_ready(self._agenda.now)

    def rest(self) -> None:
        """The last request has left."""
        self._idle_since = self._agenda.now
        if self._keep_alive_seconds is not None:
            self._agenda.put(self._agenda.now + self._keep_alive_seconds, Happening.MAIN_IDLE)

    def look_whether_idle(self, *, requests: int) -> None:
        """Stop it if nobody has come for the keep-alive, with so many requests in the service."""
        keep_alive = self._keep_alive_seconds
        if keep_alive is None or requests or not self.ready:
            return
        if self._agenda.now >= self._idle_since + keep_alive:
            self.ready = False
            self._meter.main_stops(self._agenda.now)
