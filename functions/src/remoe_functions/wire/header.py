"""The fixed header that starts every frame.

Little-endian, 64 bytes. The first eight (magic, version, kind, code) stay where they are in every
version of the protocol, so that any two versions can tell each other apart. Every size is told in
the header and checked there: nothing is allocated for a frame whose header was not accepted.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from remoe_functions.wire.errors import ProtocolError
from remoe_functions.wire.message import RefusalCode, WireDtype

MAGIC = b"RMOE"
VERSION = 2
PREFIX_BYTES = 8
MAX_TEXT_BYTES = 4_096
PAIR_BYTES = 10  # float32 weight, uint32 row, uint16 expert
_LAYOUT = struct.Struct("<4sHBBQddIIIIQI4x")
HEADER_BYTES = _LAYOUT.size
_PREFIX = struct.Struct("<4sH")


class Kind(IntEnum):
    """What a frame carries; the values are those on the wire."""

    HELLO = 1
    WELCOME = 2
    CALL = 3
    ANSWER = 4
    REFUSAL = 5


_KINDS = frozenset(int(kind) for kind in Kind)
_WITH_ROWS = frozenset((int(Kind.CALL), int(Kind.ANSWER)))
_ITEM_BYTES = {int(dtype): dtype.itemsize for dtype in WireDtype}


class Header(NamedTuple):
    """The header's fields, in their order on the wire.

    `code` is the WireDtype of the rows in calls and answers, a RefusalCode in refusals.
    `answer_code` is the WireDtype that a call wants its answer in. `seconds` is a call's budget or
    an answer's busy time. `sent_at_seconds` is the caller's own clock. A welcome tells the server's
    limits in `rows`, `hidden`, `pairs` and `layer` (frame size, in KiB).
    """

    magic: bytes
    version: int
    kind: int
    code: int
    call_id: int
    seconds: float
    sent_at_seconds: float
    layer: int
    rows: int
    hidden: int
    pairs: int
    body_bytes: int
    answer_code: int


def pack(
    kind: int,
    *,
    code: int = 0,
    call_id: int = 0,
    seconds: float = 0.0,
    sent_at_seconds: float = 0.0,
    layer: int = 0,
    rows: int = 0,
    hidden: int = 0,
    pairs: int = 0,
    body_bytes: int = 0,
    answer_code: int = 0,
) -> bytes:
    """The bytes of a header with these fields; see Header."""
    return _LAYOUT.pack(
        MAGIC, VERSION, kind, code, call_id, seconds, sent_at_seconds,
        layer, rows, hidden, pairs, body_bytes, answer_code,
    )  # fmt: skip


def unpack(data: bytes | memoryview) -> Header:
    """Reads the header that `data` begins with.

    Raises:
        ProtocolError: not this protocol, another version, or sizes that contradict each other.
    """
    header = tuple.__new__(Header, _LAYOUT.unpack_from(data))  # Header._make, at half its cost
    magic, version, kind, code, _, _, _, _, rows, hidden, pairs, body_bytes, _ = header
    if magic != MAGIC or version != VERSION:
        check_prefix(data)
    if kind not in _WITH_ROWS:
        _check_text(header)
    elif body_bytes != rows * hidden * _ITEM_BYTES.get(code, 0) + pairs * PAIR_BYTES:
        raise _contradiction(header)
    elif code not in _ITEM_BYTES:
        raise _unknown_dtype(header)
    return header


def check_prefix(data: bytes | memoryview) -> None:
    """Judges the first eight bytes, which are enough to know another version or a stranger.

    Raises:
        ProtocolError: with WRONG_VERSION or BAD_REQUEST.
    """
    magic, version = _PREFIX.unpack_from(data)
    if magic != MAGIC:
        raise ProtocolError(f"magic: got {magic!r}, expected {MAGIC!r}")
    if version != VERSION:
        raise ProtocolError(
            f"version: got {version}, this end speaks {VERSION}", code=RefusalCode.WRONG_VERSION
        )


def _contradiction(header: Header) -> ProtocolError:
    item_bytes = _ITEM_BYTES.get(header.code)
    if item_bytes is None:
        return _unknown_dtype(header)
    expected = header.rows * header.hidden * item_bytes + header.pairs * PAIR_BYTES
    return ProtocolError(
        f"body_bytes: got {header.body_bytes}, the counts make {expected}", call_id=header.call_id
    )


def _unknown_dtype(header: Header) -> ProtocolError:
    return ProtocolError(
        f"dtype: got {header.code}, known are {sorted(_ITEM_BYTES)}", call_id=header.call_id
    )


def _check_text(header: Header) -> None:
    if header.kind not in _KINDS:
        raise ProtocolError(f"kind: got {header.kind}, known are {sorted(_KINDS)}")
    if header.body_bytes > MAX_TEXT_BYTES:
        raise ProtocolError(
            f"text: {header.body_bytes} bytes is more than {MAX_TEXT_BYTES}",
            code=RefusalCode.TOO_LARGE,
        )
