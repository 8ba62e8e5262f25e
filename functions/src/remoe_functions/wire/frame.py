"""Messages to bytes and back.

A frame is a header and a body. A call's body is weights, token rows, rows, experts: in this order
every array is aligned without padding. Arrays are sent from where they lie and stay in the one
buffer that a frame was received into. Where the bytes come from and go to is not known here.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from remoe_functions.wire.errors import ProtocolError
from remoe_functions.wire.header import (
    HEADER_BYTES,
    MAX_TEXT_BYTES,
    PAIR_BYTES,
    Header,
    Kind,
    pack,
)
from remoe_functions.wire.limits import Limits
from remoe_functions.wire.message import (
    Answer,
    Call,
    Refusal,
    RefusalCode,
    WireDtype,
    check_answer,
    check_call,
    shape_of,
    view_of,
)
from remoe_functions.wire.received import DTYPES, FrameBytes, ReceivedAnswer, ReceivedCall

if TYPE_CHECKING:
    from remoe_functions.wire.message import Array

Buffer = bytes | memoryview
_KIB = 1024


class Frame(NamedTuple):
    """Bytes to send: several buffers, none of them copied."""

    buffers: list[Buffer]
    nbytes: int

    def after(self, sent_bytes: int) -> list[memoryview]:
        """What is left to send once `sent_bytes` have gone."""
        left = []
        for buffer in self.buffers:
            view = memoryview(buffer)
            if sent_bytes < view.nbytes:
                left.append(view.cast("B")[sent_bytes:])
            sent_bytes = max(0, sent_bytes - view.nbytes)
        return left


def encode_call(call: Call, *, sent_at_seconds: float = 0.0) -> Frame:
    """The frame of a call; `sent_at_seconds` is the sender's monotonic clock.

    Raises:
        ValueError: a field has the wrong shape, dtype or range.
    """
    check_call(call)
    rows = _memory(call.rows)
    count, hidden = shape_of(call.rows)
    pairs = len(call.weights)
    body_bytes = rows.nbytes + pairs * PAIR_BYTES
    header = pack(
        Kind.CALL,
        code=call.dtype,
        call_id=call.call_id,
        seconds=call.deadline_seconds,
        sent_at_seconds=sent_at_seconds,
        layer=call.layer,
        rows=count,
        hidden=hidden,
        pairs=pairs,
        body_bytes=body_bytes,
        answer_code=call.answer_dtype,
    )
    first, second, last = map(_memory, (call.weights, call.token_rows, call.experts))
    return Frame([header, first, second, rows, last], HEADER_BYTES + body_bytes)


def encode_answer(answer: Answer) -> Frame:
    """The frame of an answer.

    Raises:
        ValueError: a field has the wrong shape, dtype or range.
    """
    check_answer(answer)
    rows = _memory(answer.rows)
    count, hidden = answer.shape
    header = pack(
        Kind.ANSWER,
        code=answer.dtype,
        call_id=answer.call_id,
        seconds=answer.busy_seconds,
        rows=count,
        hidden=hidden,
        body_bytes=rows.nbytes,
    )
    return Frame([header, rows], HEADER_BYTES + rows.nbytes)


def encode_refusal(refusal: Refusal) -> Frame:
    """The frame of a refusal; a message that is too long is cut."""
    text = refusal.message.encode()[:MAX_TEXT_BYTES]
    header = pack(Kind.REFUSAL, code=refusal.code, call_id=refusal.call_id, body_bytes=len(text))
    return Frame([header, text], HEADER_BYTES + len(text))


def encode_hello(token: str) -> Frame:
    """The first frame of a client."""
    text = token.encode()
    header = pack(Kind.HELLO, body_bytes=len(text))
    return Frame([header, text], HEADER_BYTES + len(text))


def encode_welcome(limits: Limits) -> Frame:
    """The answer to a good hello: what the server will read."""
    header = pack(
        Kind.WELCOME,
        rows=limits.max_rows,
        hidden=limits.max_hidden,
        pairs=limits.max_pairs,
        layer=-(-limits.max_frame_bytes // _KIB),
    )
    return Frame([header], HEADER_BYTES)


def decode_call(header: Header, data: FrameBytes) -> ReceivedCall:
    """The call that lies in `data`; its pairs are the handler's to judge.

    Raises:
        ValueError: a value is one that no call can have (a deadline that is no number, an unknown
            type for its answer).
    """
    if header.code == WireDtype.FLOAT64:
        raise ValueError("dtype: a call's rows are not float64")
    if header.answer_code not in DTYPES:
        raise ValueError(
            f"answer_dtype: got {header.answer_code}, known are {sorted(map(int, WireDtype))}"
        )
    if not isfinite(header.seconds):
        raise ValueError(f"deadline_seconds must be finite, got {header.seconds}")
    return ReceivedCall(header, data)


def decode_answer(header: Header, data: FrameBytes) -> ReceivedAnswer:
    """The answer that lies in `data`."""
    return ReceivedAnswer(header, data)


def decode_refusal(header: Header, data: FrameBytes) -> Refusal:
    """The refusal; a message that is no UTF-8 is shown as well as can be.

    Raises:
        ProtocolError: the code is none of ours.
    """
    try:
        code = RefusalCode(header.code)
    except ValueError as error:
        raise ProtocolError(f"code: got {header.code}, which is no refusal") from error
    message = text_of(data).decode("utf-8", errors="replace")
    return Refusal(call_id=header.call_id, code=code, message=message)


def decode_welcome(header: Header) -> Limits:
    """The limits that the server told.

    Raises:
        ProtocolError: a limit is below one.
    """
    try:
        return Limits(
            max_rows=header.rows,
            max_hidden=header.hidden,
            max_pairs=header.pairs,
            max_frame_bytes=header.layer * _KIB,
        )
    except ValueError as error:
        raise ProtocolError(f"welcome: {error}") from error


def text_of(data: FrameBytes) -> bytes:
    """What a hello or a refusal says, as it came."""
    return bytes(data[HEADER_BYTES:])


def _memory(array: Array | bytearray) -> memoryview:
    view = view_of(array)
    return view if view.c_contiguous else memoryview(view.tobytes()).cast("B")
