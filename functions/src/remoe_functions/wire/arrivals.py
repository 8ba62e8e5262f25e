"""Waits on several connections at once and takes answers in the order they come."""

from __future__ import annotations

import math
import select
import time
from collections.abc import Iterable
from dataclasses import dataclass

from remoe_functions.wire.client import Connection, Outcome


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrival:
    """A call that has come to an end: `outcome` is its Answer, or the error that it met."""

    connection: Connection
    call_id: int
    outcome: Outcome


def receive_any(connections: Iterable[Connection], *, timeout_seconds: float) -> Arrival | None:
    """The first call of these connections to end, or None when none does in time.

    A connection that breaks yields one arrival for each of its calls in flight. Returns at once
    when nothing is in flight. A caller that stops waiting for a call gives it up with
    `Connection.give_up`.
    """
    waiting = [connection for connection in connections if connection.in_flight]
    deadline = time.monotonic() + timeout_seconds
    arrival = _taken(waiting)
    while waiting and arrival is None:
        left_seconds = deadline - time.monotonic()
        _take_in(waiting, max(0.0, left_seconds))
        arrival = _taken(waiting)
        if left_seconds <= 0:
            break
    return arrival


def _taken(waiting: list[Connection]) -> Arrival | None:
    for connection in waiting:
        taken = connection.take()
        if taken is not None:
            return Arrival(connection=connection, call_id=taken[0], outcome=taken[1])
    return None


def _take_in(waiting: list[Connection], seconds: float) -> None:
    by_descriptor = {connection.fileno(): connection for connection in waiting}
    poll = select.poll()
    for descriptor in by_descriptor:
        poll.register(descriptor, select.POLLIN)
    for descriptor, _ in poll.poll(math.ceil(seconds * 1_000)):
        by_descriptor[descriptor].take_in()
