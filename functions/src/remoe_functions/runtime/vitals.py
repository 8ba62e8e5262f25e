"""What a child told over its tether: phases, address, heartbeats. The child's half is `tether`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True)
class Vitals:
    """The latest word of one child; every time is on the supervisor's clock.

    Attributes:
        phases: seconds of each start-up phase, in order.
        host: where it listens, once it is ready.
        port: where it listens, once it is ready.
        ready_at: when it said so, or None.
        heard_at: when its last heartbeat came, or None.
        idle_since: when its last call ended, as it said, or None.
        in_flight: calls in flight at its last heartbeat.
    """

    phases: dict[str, float] = field(default_factory=dict)
    host: str | None = None
    port: int | None = None
    ready_at: float | None = None
    heard_at: float | None = None
    idle_since: float | None = None
    in_flight: int = 0

    def hear(self, line: bytes, now: float) -> bool:
        """Take in one line; returns whether it is news to the world (a heartbeat is not).

        A line that is not understood changes nothing: a child of another version shows as never
        ready rather than as a crash of its supervisor.
        """
        try:
            return self._take(json.loads(line), now)
        except (ValueError, KeyError, TypeError):
            return False

    def _take(self, message: dict[str, Any], now: float) -> bool:
        match message["kind"]:
            case "phase":
                self.phases[str(message["name"])] = float(message["seconds"])
            case "ready":
                self.host, self.port = str(message["host"]), int(message["port"])
                self.ready_at = now if self.ready_at is None else self.ready_at
            case "activity":
                self._beat(int(message["in_flight"]), float(message["idle_seconds"]), now)
                return False
            case _:
                return False
        return True

    def _beat(self, in_flight: int, idle_seconds: float, now: float) -> None:
        self.heard_at, self.in_flight = now, in_flight
        self.idle_since = now - max(0.0, idle_seconds)
