"""What happens when: one order for everything, whoever wrote it down first."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heappop, heappush
from typing import NamedTuple


class Happening(IntEnum):
    """Kinds of events, in the order in which those of one moment are dealt with."""

    REPLICA_READY = 0
    MAIN_READY = 1
    ARRIVAL = 2
    JOIN = 3
    """A request has come through the front door and waits for a slot."""

    WAKE_FORETOLD = 4
    """A function is woken that a forecast asked for."""

    WAKE_CALLED = 5
    """A function is woken that the main model found asleep."""

    TURN = 6
    """The main model goes on."""

    REPLICA_IDLE = 7
    MAIN_IDLE = 8


class Event(NamedTuple):
    """One of them; compared field by field, so that no two are in an arbitrary order.

    Attributes:
        at_seconds: when.
        kind: of what kind.
        name: of the request or function that it concerns; empty for none.
        replicas: wished for.
    """

    at_seconds: float
    kind: Happening
    name: str = ""
    replicas: int = 0


@dataclass(slots=True, kw_only=True)
class Agenda:
    """Events to come.

    Attributes:
        now: when the latest event that was taken happened, in seconds since the day began.
    """

    now: float = 0.0
    _events: list[Event] = field(default_factory=list)

    def put(self, at_seconds: float, kind: Happening, name: str = "", *, replicas: int = 0) -> None:
        """Write an event down; what lies in the past happens now."""
        heappush(self._events, Event(max(at_seconds, self.now), kind, name, replicas))

    def take(self) -> Event | None:
        """The next event, None where nothing happens any more."""
        if not self._events:
            return None
        event = heappop(self._events)
        self.now = event.at_seconds
        return event
