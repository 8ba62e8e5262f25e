"""The main model's end of the wire: one connection to one replica.

Which replica is called, retries and reconnecting do not belong here.
"""

from __future__ import annotations

import math
import select
import socket
import time
from types import TracebackType
from typing import NamedTuple, Self

from remoe_functions.wire.errors import (
    CallRefused,
    CallTimedOut,
    ConnectionLost,
    ProtocolError,
    WireError,
)
from remoe_functions.wire.frame import (
    Frame,
    decode_answer,
    decode_refusal,
    decode_welcome,
    encode_call,
    encode_hello,
)
from remoe_functions.wire.header import MAX_TEXT_BYTES, Header, Kind
from remoe_functions.wire.kernel import bound_waits
from remoe_functions.wire.limits import Limits
from remoe_functions.wire.message import Call, RefusalCode, shape_of
from remoe_functions.wire.reader import FrameReader
from remoe_functions.wire.received import FrameBytes, ReceivedAnswer

Outcome = ReceivedAnswer | WireError
SPIN_SECONDS = 50e-6


class _Expected(NamedTuple):
    """The only shape an answer may have, so that its size is known before it comes."""

    rows: int
    hidden: int
    code: int
    pairs: int = 0


class Connection:
    """A blocking connection, confined to one thread at a time; many calls may be in flight.

    Every wait is bounded. A call that timed out is forgotten: its answer is dropped when it comes
    and the connection stays usable. Once it `is_broken` every call in flight has failed.
    """

    def __init__(
        self, connection: socket.socket, peer: str, *, spin_seconds: float = SPIN_SECONDS
    ) -> None:
        self._spin_seconds = spin_seconds
        connection.setblocking(True)
        self._kernel_timeout_seconds = 0.0  # none yet
        self._socket = connection
        self._peer = peer
        self._reader = FrameReader(
            connection,
            self._admit,
            head_flags=socket.MSG_DONTWAIT,
            body_flags=socket.MSG_DONTWAIT,
        )
        self._limits: Limits | None = None
        self._polled = select.POLLIN  # what the poll asks for
        self._expected: dict[int, _Expected] = {}
        self._given_up: set[int] = set()
        self._arrived: dict[int, Outcome] = {}
        self._failure: WireError | None = None
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)

    @classmethod
    def open(
        cls,
        host: str,
        port: int,
        *,
        token: str,
        timeout_seconds: float,
        spin_seconds: float = SPIN_SECONDS,
    ) -> Connection:
        """Connects and shakes hands.

        Args:
            host: name or address.
            port: of the function.
            token: what the function wants to see.
            timeout_seconds: bound on all of it.
            spin_seconds: how long `receive` asks again and again before it goes to sleep, which
                spares a quick answer the waking of this thread; zero for never.

        Raises:
            ConnectionLost: nobody answers there within `timeout_seconds`.
            CallRefused: UNAUTHORIZED, WRONG_VERSION, or BUSY (too many connections).
            ProtocolError: what answers there is no expert function.
            ValueError: the token is empty or longer than 4,096 bytes.
        """
        if not 0 < len(token.encode()) <= MAX_TEXT_BYTES:
            raise ValueError(f"token must have 1 to {MAX_TEXT_BYTES} bytes")
        deadline = time.monotonic() + timeout_seconds
        peer = f"{host}:{port}"
        try:
            raw = socket.create_connection((host, port), timeout_seconds)
        except OSError as error:
            raise ConnectionLost(f"{peer} cannot be reached: {error}") from error
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = cls(raw, peer, spin_seconds=spin_seconds)
        try:
            connection._shake_hands(token, deadline)
        except BaseException:
            connection.close()
            raise
        return connection

    @property
    def in_flight(self) -> int:
        """Calls sent and neither received nor given up."""
        return len(self._expected) - len(self._given_up) + len(self._arrived)

    @property
    def is_broken(self) -> bool:
        """Whether it can take no further calls."""
        return self._failure is not None

    def fileno(self) -> int:
        """For selectors; readable when `take` may have something new."""
        return self._socket.fileno()

    def send(self, call: Call) -> None:
        """Sends a call, for at most its own deadline; answers that come meanwhile are kept.

        A call that is sure to be refused (EXPIRED, or TOO_LARGE by the limits that the server
        told) is not sent; its refusal is received like any other.

        Raises:
            CallTimedOut: the deadline passed before the call had left. If a part of it had, the
                connection is broken.
            ConnectionLost: the connection is broken.
            ValueError: a call with this id is in flight, or a field is not as it must be.
        """
        if self._failure is not None:
            raise self._lost()
        if call.call_id in self._expected or call.call_id in self._arrived:
            raise ValueError(f"call_id: {call.call_id} is in flight on this connection")
        now = time.monotonic()
        frame = encode_call(call, sent_at_seconds=now)
        rows, hidden = shape_of(call.rows)
        refusal = self._foreseen_refusal(call, frame)
        if refusal is not None:
            self._arrived[call.call_id] = refusal
            return
        self._push(frame, now + call.deadline_seconds)
        self._expected[call.call_id] = _Expected(rows, hidden, call.answer_dtype)

    def receive(self, call_id: int, *, timeout_seconds: float) -> ReceivedAnswer:
        """Waits for the answer to one call; others that come meanwhile are kept.

        Raises:
            CallRefused: the function will not compute it, and why.
            CallTimedOut: no answer came; the call is given up, the connection stays usable.
            ConnectionLost: the connection broke before the answer was whole.
            ProtocolError: what came was no answer; the connection is broken.
            ValueError: no such call is in flight.
        """
        if call_id not in self._arrived:
            self._await_answer(call_id, timeout_seconds)
        outcome = self._arrived.pop(call_id)
        if isinstance(outcome, WireError):
            raise outcome
        return outcome

    def _await_answer(self, call_id: int, timeout_seconds: float) -> None:
        """Blocks in the kernel for what comes first, which most often is the answer, and whole."""
        if call_id not in self._expected or call_id in self._given_up:
            raise ValueError(f"call_id: {call_id} is not in flight on this connection")
        started_at = time.monotonic()
        deadline = started_at + timeout_seconds
        self._spin(call_id, started_at + min(self._spin_seconds, timeout_seconds))
        if call_id not in self._arrived and timeout_seconds > self._spin_seconds:
            self._bound_in_kernel(timeout_seconds)
            self._take_in(may_block=True)
        while call_id not in self._arrived:
            if not self._wait(select.POLLIN, deadline):
                self.give_up(call_id)
                raise CallTimedOut(
                    f"{self._peer} did not answer call {call_id} within {timeout_seconds} s"
                )
            self.take_in()

    def _spin(self, call_id: int, until: float) -> None:
        self._watch_for(select.POLLIN)
        while call_id not in self._arrived and time.monotonic() < until:
            if self._poll.poll(0):
                self._take_in(may_block=False)

    def _bound_in_kernel(self, seconds: float) -> None:
        if seconds != self._kernel_timeout_seconds:
            bound_waits(self._socket, receive_seconds=seconds)
            self._kernel_timeout_seconds = seconds

    def give_up(self, call_id: int) -> None:
        """Forgets a call; its answer is dropped when it comes."""
        if self._arrived.pop(call_id, None) is None and call_id in self._expected:
            self._given_up.add(call_id)

    def take(self) -> tuple[int, Outcome] | None:
        """The next call that has come to an end, and its outcome; never waits."""
        if not self._arrived:
            return None
        call_id = next(iter(self._arrived))
        return call_id, self._arrived.pop(call_id)

    def take_in(self) -> None:
        """Reads what has come, at most one frame; never waits and never raises.

        A connection that breaks gives every call in flight its outcome.
        """
        self._take_in(may_block=False)

    def _take_in(self, *, may_block: bool) -> None:
        if self._failure is not None:
            return
        try:
            self._sort(*self._reader.read(may_block=may_block))
            while self._reader.has_begun:
                self._sort(*self._reader.read())
        except BlockingIOError:
            pass  # the rest of the frame is still to come
        except ConnectionLost as error:
            self._break(ConnectionLost(f"{self._peer}: {error}"))
        except ProtocolError as error:
            self._break(ProtocolError(f"{self._peer}: {error}"))
        except OSError as error:
            self._break(ConnectionLost(f"{self._peer}: {error}"))

    def close(self) -> None:
        """Ends it; calls in flight are lost."""
        self._break(ConnectionLost(f"{self._peer}: the connection was closed here"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _shake_hands(self, token: str, deadline: float) -> None:
        self._push(encode_hello(token), deadline)
        while self._limits is None:
            if self._failure is not None:
                raise self._failure
            if not self._wait(select.POLLIN, deadline):
                raise ConnectionLost(f"{self._peer} did not greet in time")
            self.take_in()

    def _admit(self, header: Header) -> None:
        expected = self._expected.get(header.call_id)
        shape = (header.rows, header.hidden, header.code, header.pairs)
        if header.kind == Kind.ANSWER and expected == shape:
            return
        awaited = Kind.WELCOME if self._limits is None else Kind.ANSWER
        if header.kind == Kind.REFUSAL or header.kind == awaited == Kind.WELCOME:
            return
        if header.kind != awaited or expected is None:
            raise ProtocolError(
                f"kind {header.kind} for call {header.call_id}: nothing like it is awaited"
            )
        raise ProtocolError(
            f"answer to call {header.call_id}: got {header.rows} rows of {header.hidden} "
            f"in dtype {header.code}, expected {expected}"
        )

    def _sort(self, header: Header, data: FrameBytes) -> None:
        if header.kind == Kind.ANSWER:
            self._keep(header.call_id, decode_answer(header, data))
        elif header.kind == Kind.WELCOME:
            self._limits = decode_welcome(header)
        else:
            refusal = decode_refusal(header, data)
            error = CallRefused(refusal.code, refusal.message)
            if refusal.call_id in self._expected:
                self._keep(refusal.call_id, error)
            else:
                self._break(error)

    def _keep(self, call_id: int, outcome: Outcome) -> None:
        del self._expected[call_id]
        if call_id in self._given_up:
            self._given_up.remove(call_id)
        else:
            self._arrived[call_id] = outcome

    def _break(self, failure: WireError) -> None:
        if self._failure is not None:
            return
        self._failure = failure
        self._socket.close()
        for call_id in list(self._expected):
            self._keep(call_id, failure)

    def _lost(self) -> ConnectionLost:
        return ConnectionLost(f"the connection is broken: {self._failure}")

    def _foreseen_refusal(self, call: Call, frame: Frame) -> CallRefused | None:
        if call.deadline_seconds <= 0:
            return CallRefused(RefusalCode.EXPIRED, "the deadline had passed before it was sent")
        if self._limits is None:
            return None
        rows, hidden = shape_of(call.rows)
        excess = self._limits.excess(
            rows=rows, hidden=hidden, pairs=len(call.weights), frame_bytes=frame.nbytes
        )
        return CallRefused(RefusalCode.TOO_LARGE, excess) if excess else None

    def _push(self, frame: Frame, deadline: float) -> None:
        try:
            sent = self._socket.sendmsg(frame.buffers, (), socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._break(ConnectionLost(f"{self._peer}: {error}"))
            raise self._lost() from error
        if sent < frame.nbytes:
            self._push_rest(frame, sent, deadline)

    def _push_rest(self, frame: Frame, sent: int, deadline: float) -> None:
        """Goes on sending while it takes in answers: the server may be blocked on sending them."""
        while sent < frame.nbytes:
            ready = self._wait(select.POLLIN | select.POLLOUT, deadline)
            if not ready:
                raise self._stuck(sent)
            if ready & ~select.POLLOUT:
                self.take_in()
            if self._failure is not None:
                raise self._lost()
            if ready & select.POLLOUT:
                sent += self._push_some(frame, sent)

    def _push_some(self, frame: Frame, sent: int) -> int:
        try:
            return self._socket.sendmsg(frame.after(sent), (), socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._break(ConnectionLost(f"{self._peer}: {error}"))
            raise self._lost() from error

    def _stuck(self, sent: int) -> CallTimedOut:
        error = CallTimedOut(f"{self._peer} did not take the call before its deadline")
        if sent:
            self._break(ConnectionLost(f"{self._peer} took a call in part only"))
        return error

    def _wait(self, events: int, deadline: float) -> int:
        """The events that happened, or 0 when the deadline passed."""
        if self._failure is not None:
            return events
        self._watch_for(events)
        left_seconds = deadline - time.monotonic()
        if left_seconds <= 0:
            return 0
        ready = self._poll.poll(math.ceil(left_seconds * 1_000))
        return ready[0][1] if ready else 0

    def _watch_for(self, events: int) -> None:
        if self._failure is None and events != self._polled:
            self._poll.modify(self._socket, events)
            self._polled = events
