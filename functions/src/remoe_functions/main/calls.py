"""Calls to expert functions: sent, answered, tried once more, or given up with a reason.

Lives on the engine's thread. Which pairs are remote and what happens to those given up is the
dispatcher's matter.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_functions.main.breaker import Breaker
from remoe_functions.main.directory import Directory, Endpoint
from remoe_functions.main.settings import CallSettings
from remoe_functions.main.spread import Pairs, Rows
from remoe_functions.wire.client import Connection
from remoe_functions.wire.errors import CallRefused, CallTimedOut, ConnectionLost, WireError
from remoe_functions.wire.message import Call, RefusalCode, WireDtype
from remoe_functions.wire.received import ReceivedAnswer


class GivenUp(StrEnum):
    """Why the main model computed a function's experts itself."""

    ASLEEP = "asleep"
    RESTING = "resting"
    LOST = "connection_lost"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    PROTOCOL = "protocol"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """Pairs for one function: `rows` are the distinct token rows the pairs refer to.

    The answer shall come in `answer_dtype`; `whole` says that the rows have no other pairs.
    """

    function: str
    layer: int
    pairs: Pairs
    distinct: Rows
    rows: NDArray[Any]
    dtype: WireDtype
    answer_dtype: WireDtype
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InFlight:
    """A call on its way, or (`gave_up` set) one that could not be sent."""

    work: Work
    endpoint: Endpoint | None = None
    call_id: int = 0
    due_at: float = 0.0
    second: bool = False
    gave_up: GivenUp | None = None


class Caller:
    """Sends calls to replicas and collects their answers.

    Attributes:
        calls: answered calls by function.
        retries: second attempts by function.
        given_up: (function, reason) of work that came back undone.
    """

    def __init__(self, directory: Directory, settings: CallSettings, *, token: str) -> None:
        self.calls: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()
        self.given_up: Counter[tuple[str, GivenUp]] = Counter()
        self._directory = directory
        self._settings = settings
        self._token = token
        self._breaker = Breaker(
            first_rest_seconds=settings.first_rest_seconds,
            max_rest_seconds=settings.max_rest_seconds,
        )
        self._connections: dict[Endpoint, Connection] = {}
        self._ids = count(1)
        self._turn = count()

    def replicas(self, function: str) -> tuple[Endpoint, ...]:
        """The replicas worth calling now."""
        now = time.monotonic()
        return tuple(e for e in self._directory.replicas(function) if self._breaker.allows(e, now))

    def send(self, work: Work, endpoint: Endpoint | None = None) -> InFlight:
        """Send work to a replica, the next in turn unless one is given; never raises WireError."""
        found = self.replicas(work.function)
        if endpoint is None and not found:
            return InFlight(work=work, gave_up=self._unreachable(work.function))
        chosen = endpoint or found[next(self._turn) % len(found)]
        try:
            return self._send(work, chosen)
        except WireError as error:
            self._note_failure(chosen)
            return self._second(work, chosen, error)

    def collect(self, sent: InFlight) -> ReceivedAnswer | None:
        """The answer, after a second attempt if need be; None when the work is given up."""
        while sent.endpoint is not None:
            try:
                return self._receive(sent)
            except WireError as error:
                self._note_failure(sent.endpoint)
                sent = self._after(sent, error)
        self.given_up[sent.work.function, sent.gave_up or GivenUp.ASLEEP] += 1
        return None

    def close(self) -> None:
        """Close every connection."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def _send(self, work: Work, endpoint: Endpoint) -> InFlight:
        budget = self._settings.call_seconds + self._settings.pair_seconds * len(work.pairs)
        call = Call(
            call_id=next(self._ids),
            deadline_seconds=budget,
            layer=work.layer,
            rows=work.rows,
            dtype=work.dtype,
            answer_dtype=work.answer_dtype,
            token_rows=np.searchsorted(work.distinct, work.pairs.rows).astype(np.uint32),
            experts=work.pairs.experts,
            weights=work.pairs.weights,
        )
        self._connection(endpoint).send(call)
        return InFlight(
            work=work, endpoint=endpoint, call_id=call.call_id, due_at=time.monotonic() + budget
        )

    def _receive(self, sent: InFlight) -> ReceivedAnswer:
        if sent.endpoint is None or sent.endpoint not in self._connections:
            raise ConnectionLost("the connection went down with another call")
        left = max(0.001, sent.due_at - time.monotonic())
        connection = self._connections[sent.endpoint]
        answer = connection.receive(sent.call_id, timeout_seconds=left)
        self._breaker.succeeded(sent.endpoint)
        self.calls[sent.work.function] += 1
        return answer

    def _connection(self, endpoint: Endpoint) -> Connection:
        found = self._connections.get(endpoint)
        if found is None:
            found = self._connections[endpoint] = Connection.open(
                endpoint.host,
                endpoint.port,
                token=self._token,
                timeout_seconds=self._settings.connect_seconds,
            )
        return found

    def _after(self, failed: InFlight, error: WireError) -> InFlight:
        """What follows a failure: a second attempt after the first, nothing after the second."""
        if failed.endpoint is None or failed.second:
            return InFlight(work=failed.work, gave_up=_reason(error))
        return self._second(failed.work, failed.endpoint, error)

    def _second(self, work: Work, failed: Endpoint, error: WireError) -> InFlight:
        """One more attempt: on another replica, or on the same after a lost connection."""
        others = [e for e in self.replicas(work.function) if e != failed]
        if others:
            target = others[next(self._turn) % len(others)]
        elif isinstance(error, ConnectionLost) and failed in self._directory.replicas(
            work.function
        ):
            target = failed
        else:
            return InFlight(work=work, gave_up=_reason(error))
        self.retries[work.function] += 1
        try:
            return replace(self._send(work, target), second=True)
        except WireError as second:
            self._note_failure(target)
            return InFlight(work=work, gave_up=_reason(second))

    def _note_failure(self, endpoint: Endpoint) -> None:
        # A call that timed out may still be answered: with its connection goes the late answer.
        self._breaker.failed(endpoint, time.monotonic())
        connection = self._connections.pop(endpoint, None)
        if connection is not None:
            connection.close()

    def _unreachable(self, function: str) -> GivenUp:
        if self._directory.replicas(function):
            return GivenUp.RESTING
        self._directory.wake(function)
        return GivenUp.ASLEEP


def _reason(error: WireError) -> GivenUp:
    if isinstance(error, CallTimedOut):
        return GivenUp.TIMEOUT
    if isinstance(error, ConnectionLost):
        return GivenUp.LOST
    if isinstance(error, CallRefused):
        return GivenUp.TIMEOUT if error.code is RefusalCode.EXPIRED else GivenUp.REFUSED
    return GivenUp.PROTOCOL
