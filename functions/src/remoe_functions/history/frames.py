"""Framing: how records stand one after the other in a file, so that damage is always noticed.

A frame is a header (magic, length, checksum of the payload, checksum of the header itself) and
the payload. The header's own checksum tells a damaged payload, which is skipped, from a damaged
length, after which nothing can be found again.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from zlib import crc32

_MAGIC = b"RMHF"
_FIELDS = struct.Struct("<4sII")
_CHECK = struct.Struct("<I")
HEADER_BYTES = _FIELDS.size + _CHECK.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """What was found in a run of frames.

    Attributes:
        payloads: those whose checksums hold, in order.
        sound_bytes: where the last whole frame ends; what follows is torn or damaged.
        damaged: whole frames whose payload does not match its checksum.
    """

    payloads: tuple[bytes, ...]
    sound_bytes: int
    damaged: int


def frame(payload: bytes) -> bytes:
    """The payload with its header."""
    fields = _FIELDS.pack(_MAGIC, len(payload), crc32(payload))
    return fields + _CHECK.pack(crc32(fields)) + payload


def read_frames(data: bytes) -> Frames:
    """Every sound frame up to the first that cannot be found or is not whole."""
    payloads: list[bytes] = []
    damaged = position = 0
    while (header := _header_at(data, position)) is not None:
        length, checksum = header
        start = position + HEADER_BYTES
        if start + length > len(data):
            break
        payload = data[start : start + length]
        if crc32(payload) == checksum:
            payloads.append(payload)
        else:
            damaged += 1
        position = start + length
    return Frames(payloads=tuple(payloads), sound_bytes=position, damaged=damaged)


def _header_at(data: bytes, position: int) -> tuple[int, int] | None:
    """Length and checksum of the payload; None where there is no sound header."""
    if position + HEADER_BYTES > len(data):
        return None
    fields = data[position : position + _FIELDS.size]
    (check,) = _CHECK.unpack_from(data, position + _FIELDS.size)
    magic, length, checksum = _FIELDS.unpack(fields)
    return (length, checksum) if magic == _MAGIC and check == crc32(fields) else None
