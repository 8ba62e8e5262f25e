"""Messages to bytes and back.

A frame is a header and a body. A call's body is weights, token rows, rows, experts: in this order
every array is aligned without padding. Arrays are sent from where they lie and are views of the
one buffer that a body was received into. Where the bytes come from and go to is not known here.
"""

from __future__ import annotations

from math import isfinite
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

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
    PAIR_EXPERT,
    PAIR_ROW,
    PAIR_WEIGHT,
    Answer,
    Call,
    Refusal,
    RefusalCode,
    WireDtype,
    check_answer,
    check_call,
)

FrameBytes = npt.NDArray[np.uint8]  # a whole received frame, its header first
Buffer = bytes | memoryview
_KIB = 1024
_FEW_PAIRS = 64
_DTYPES = {int(dtype): dtype for dtype in WireDtype}


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
    rows = call.rows
    count, hidden = rows.shape
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
    arrays = (call.weights, call.token_rows, rows, call.experts)
    return Frame([header, *map(_memory, arrays)], HEADER_BYTES + body_bytes)


def encode_answer(answer: Answer) -> Frame:
    """The frame of an answer.

    Raises:
        ValueError: a field has the wrong shape, dtype or range.
    """
    check_answer(answer)
    rows = answer.rows
    count, hidden = rows.shape
    header = pack(
        Kind.ANSWER,
        code=answer.dtype,
        call_id=answer.call_id,
        seconds=answer.busy_seconds,
        rows=count,
        hidden=hidden,
        body_bytes=rows.nbytes,
    )
    return Frame([header, _memory(rows)], HEADER_BYTES + rows.nbytes)


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


def decode_call(header: Header, data: FrameBytes) -> Call:
    """The call whose arrays are views of `data`.

    Raises:
        ValueError: a pair names a row that the call does not have, or a value is one that no
            call can have (a deadline that is no number, an unknown type for its answer).
    """
    pairs, dtype, answer_dtype = header.pairs, _DTYPES[header.code], _answer_dtype(header)
    token_rows_at = HEADER_BYTES + pairs * PAIR_WEIGHT.itemsize
    rows_at = token_rows_at + pairs * PAIR_ROW.itemsize
    experts_at = len(data) - pairs * PAIR_EXPERT.itemsize
    token_rows = np.ndarray((pairs,), PAIR_ROW, data, token_rows_at)
    _require_rows_exist(token_rows, header.rows)
    if not isfinite(header.seconds):
        raise ValueError(f"deadline_seconds must be finite, got {header.seconds}")
    return Call(
        call_id=header.call_id,
        deadline_seconds=header.seconds,
        layer=header.layer,
        rows=np.ndarray((header.rows, header.hidden), dtype.numpy, data, rows_at),
        dtype=dtype,
        answer_dtype=answer_dtype,
        token_rows=token_rows,
        experts=np.ndarray((pairs,), PAIR_EXPERT, data, experts_at),
        weights=np.ndarray((pairs,), PAIR_WEIGHT, data, HEADER_BYTES),
    )


def decode_answer(header: Header, data: FrameBytes) -> Answer:
    """The answer whose rows are a view of `data`."""
    dtype = _DTYPES[header.code]
    return Answer(
        call_id=header.call_id,
        rows=np.ndarray((header.rows, header.hidden), dtype.numpy, data, HEADER_BYTES),
        dtype=dtype,
        busy_seconds=header.seconds,
    )


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
    return data[HEADER_BYTES:].tobytes()


def _answer_dtype(header: Header) -> WireDtype:
    if header.code == WireDtype.FLOAT64:
        raise ValueError("dtype: a call's rows are not float64")
    if header.answer_code not in _DTYPES:
        raise ValueError(
            f"answer_dtype: got {header.answer_code}, known are {sorted(map(int, WireDtype))}"
        )
    return _DTYPES[header.answer_code]


def _require_rows_exist(token_rows: npt.NDArray[np.generic], rows: int) -> None:
    count = len(token_rows)
    if not count:
        return
    # a list's max is three times as fast as numpy's for the few pairs of a decode step
    highest = max(token_rows.tolist()) if count <= _FEW_PAIRS else int(token_rows.max())
    if highest >= rows:
        raise ValueError(f"token_rows: row {highest} is not among the call's {rows}")


def _memory(array: npt.NDArray[np.generic]) -> memoryview:
    return (array if array.flags.c_contiguous else np.ascontiguousarray(array)).data
