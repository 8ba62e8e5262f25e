"""One client's connection on the server: its calls are read, computed and answered in order.

The thread that reads a call computes it: handing it to another costs more than the wire does.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

from remoe_functions.wire.admission import Admission
from remoe_functions.wire.age import CallAges
from remoe_functions.wire.errors import CallRefused, ConnectionLost, ProtocolError
from remoe_functions.wire.frame import (
    Frame,
    decode_call,
    encode_answer,
    encode_refusal,
)
from remoe_functions.wire.header import HEADER_BYTES, Header, Kind
from remoe_functions.wire.kernel import bound_waits
from remoe_functions.wire.limits import Limits
from remoe_functions.wire.message import Answer, OnRefusal, Refusal, RefusalCode
from remoe_functions.wire.reader import FrameReader
from remoe_functions.wire.received import FrameBytes, ReceivedCall

Handler = Callable[[ReceivedCall], Answer]
_REASONS = {
    RefusalCode.BUSY: "too many calls are waiting",
    RefusalCode.EXPIRED: "the deadline has passed",
    RefusalCode.DRAINING: "no new calls are taken",
}
_MAX_REASON_CHARACTERS = 300
_LINGER_SECONDS = 1.0
_LINGER_READ_BYTES = 65_536


class Session:
    """Serves the calls of one connection until it ends.

    Args:
        connection: a blocking socket that has shown the token.
        handler: computes a call; may raise CallRefused with a code of its choice.
        admission: shared by all the sessions of a server.
        limits: for the calls that are read.
        stall_timeout_seconds: bound on half a call and on an answer nobody reads.
        on_refusal: told the code of every refusal before it is sent.
    """

    def __init__(
        self,
        connection: socket.socket,
        handler: Handler,
        admission: Admission,
        *,
        limits: Limits,
        stall_timeout_seconds: float,
        on_refusal: OnRefusal,
    ) -> None:
        self._connection = connection
        self._handler = handler
        self._admission = admission
        self._limits = limits
        self._stall_timeout_seconds = stall_timeout_seconds
        self._on_refusal = on_refusal
        self._reader = FrameReader(connection, self._admit, body_flags=socket.MSG_WAITALL)
        self._ages = CallAges()
        self._wait_began_at = 0.0

    def run(self) -> None:
        """Returns when the connection has ended, whoever ended it; leaves it closed."""
        try:
            self._settle()
            while True:
                self._serve(*self._next_frame())
        except ProtocolError as error:
            self._part_with(error)
        except (ConnectionLost, OSError):
            pass  # the client has gone or stalls: there is nobody to tell
        finally:
            self._connection.close()

    def end(self) -> None:
        """Makes `run` return; for other threads."""
        with contextlib.suppress(OSError):  # it has already ended
            self._connection.shutdown(socket.SHUT_RDWR)

    def _settle(self) -> None:
        stall = self._stall_timeout_seconds
        self._connection.setblocking(True)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        bound_waits(self._connection, receive_seconds=stall, send_seconds=stall)

    def _admit(self, header: Header) -> None:
        if header.kind != Kind.CALL:
            raise ProtocolError(f"kind: got {header.kind}, expected a call")
        excess = self._limits.excess(
            rows=header.rows,
            hidden=header.hidden,
            pairs=header.pairs,
            frame_bytes=HEADER_BYTES + header.body_bytes,
        )
        if excess:
            raise ProtocolError(excess, code=RefusalCode.TOO_LARGE, call_id=header.call_id)

    def _next_frame(self) -> tuple[Header, FrameBytes]:
        self._wait_began_at = time.monotonic()
        while True:
            try:
                return self._reader.read()
            except BlockingIOError:
                if self._reader.has_begun:
                    raise ConnectionLost("the client stalls in the middle of a call") from None

    def _serve(self, header: Header, data: FrameBytes) -> None:
        age = self._ages.age_seconds(
            sent_at=header.sent_at_seconds,
            wait_began_at=self._wait_began_at,
            read_at=time.monotonic(),
        )
        code = self._admission.enter(header.seconds - age)
        if code is not None:
            self._send(self._refusal(header.call_id, code, _REASONS[code]))
            return
        holds_slot = True
        try:
            frame = self._compute(header, data)
            sent = self._send_at_once(frame)  # within the slot: it spares the answer a lock
            if sent < frame.nbytes:
                holds_slot = False
                self._admission.computed()
                self._send_rest(frame, sent)
        finally:
            self._admission.leave(holds_slot=holds_slot)

    def _compute(self, header: Header, data: FrameBytes) -> Frame:
        try:
            call = decode_call(header, data)
        except ValueError as error:
            return self._refusal(header.call_id, RefusalCode.BAD_REQUEST, str(error))
        try:
            answer = self._handler(call)
            _require_fitting(call, answer)
            return encode_answer(answer)
        except CallRefused as error:
            return self._refusal(header.call_id, error.code, error.message)
        except Exception as error:  # noqa: BLE001 (whatever a handler does, the others are served)
            reason = f"{type(error).__name__}: {error}"[:_MAX_REASON_CHARACTERS]
            return self._refusal(header.call_id, RefusalCode.INTERNAL, reason)

    def _refusal(self, call_id: int, code: RefusalCode, message: str) -> Frame:
        self._on_refusal(code)
        return encode_refusal(Refusal(call_id=call_id, code=code, message=message))

    def _send(self, frame: Frame) -> None:
        self._send_rest(frame, self._send_at_once(frame))

    def _send_at_once(self, frame: Frame) -> int:
        try:
            return self._connection.sendmsg(frame.buffers, (), socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0

    def _send_rest(self, frame: Frame, sent: int) -> None:
        give_up_at = time.monotonic() + self._stall_timeout_seconds
        while sent < frame.nbytes:
            if time.monotonic() > give_up_at:
                raise ConnectionLost("the client does not read its answer")
            sent += self._connection.sendmsg(frame.after(sent))

    def _part_with(self, error: ProtocolError) -> None:
        try:
            self._send(self._refusal(error.call_id, error.code, str(error)))
            linger(self._connection)
        except (ConnectionLost, OSError):
            pass  # it was told as well as could be


def linger(connection: socket.socket) -> None:
    """Reads on for a moment before the close, which would else reset what was just sent."""
    give_up_at = time.monotonic() + _LINGER_SECONDS
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(_LINGER_SECONDS)
    while connection.recv(_LINGER_READ_BYTES) and time.monotonic() < give_up_at:
        pass


def _require_fitting(call: ReceivedCall, answer: Answer) -> None:
    if answer.call_id != call.call_id:
        raise ValueError(f"the handler answered call {answer.call_id}, not {call.call_id}")
    if answer.shape != call.shape or answer.dtype != call.answer_dtype:
        raise ValueError(
            f"the handler answered {answer.dtype.name} rows of shape {answer.shape}, "
            f"not {call.answer_dtype.name} of {call.shape}"
        )
