"""What a history file holds: one request's routing, or how often known prompts came again.

A record keeps counts and the prompt's vector. Which prompt it was is told by a keyed hash, so that
the same prompt is known again; its words, and where each token went, are kept nowhere.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_KIND = struct.Struct("<B")
_REQUEST, _REPEATS = 3, 4
# prompt tokens, decode tokens, hidden (0: no vector), layers, experts, bytes of a count
_SHAPE = struct.Struct("<IIIIIB")
_KNOWN = struct.Struct("<BQd")  # whether there is a fingerprint, it, seconds (0: unknown)
_HEAD_BYTES = _KIND.size + _KNOWN.size + _SHAPE.size
_REPEAT = struct.Struct("<QI")
_SCALE = struct.Struct("<d")
_LIGHT = 1  # zlib's level: short prompts leave most counts at zero, and any level finds those


class RecordError(ValueError):
    """Bytes that are no record, though their checksum holds: of another version, say."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HistoryRecord:
    """What one request did.

    Attributes:
        prompt_tokens: tokens of the prompt.
        decode_tokens: decode steps.
        vector: [hidden] float32, the prompt's vector (`remoe_planner.prompt_vector`), if known;
            it is kept to three digits.
        prefill: [layers, experts] uint32, assignments of prompt tokens.
        decode: [layers, experts] uint32, assignments of generated tokens.
        fingerprint: 0 to 2^64 - 1, the same for the same prompt (`salt.fingerprint`), if known.
        recorded_at: seconds since the epoch, if known.
    """

    prompt_tokens: int
    decode_tokens: int
    vector: NDArray[np.float32] | None
    prefill: NDArray[np.uint32]
    decode: NDArray[np.uint32]
    fingerprint: int | None = None
    recorded_at: float | None = None

    def __post_init__(self) -> None:
        for name in ("prompt_tokens", "decode_tokens"):
            if not 0 <= getattr(self, name) < 1 << 32:
                raise ValueError(f"{name} must be in 0..2^32-1, got {getattr(self, name)}")
        for name in ("prefill", "decode"):
            if getattr(self, name).dtype != np.uint32 or getattr(self, name).ndim != 2:
                raise ValueError(f"{name} must be [layers, experts] uint32")
        if self.prefill.shape != self.decode.shape:
            raise ValueError(
                f"prefill and decode must agree, got {self.prefill.shape} and {self.decode.shape}"
            )
        if self.vector is not None and not _is_vector(self.vector):
            raise ValueError("vector must be [hidden] float32, finite and not empty")
        if self.fingerprint is not None and not 0 <= self.fingerprint < 1 << 64:
            raise ValueError(f"fingerprint must be in 0..2^64-1, got {self.fingerprint}")

    def encode(self) -> bytes:
        """The record as bytes; `decode_payload` reads them back."""
        hidden = 0 if self.vector is None else len(self.vector)
        counts = np.stack([self.prefill, self.decode])
        width = 2 if counts.max(initial=0) < 1 << 16 else 4
        known = _KNOWN.pack(
            self.fingerprint is not None, self.fingerprint or 0, self.recorded_at or 0.0
        )
        shape = _SHAPE.pack(
            self.prompt_tokens, self.decode_tokens, hidden, *self.prefill.shape, width
        )
        body = _vector_bytes(self.vector) + counts.astype(f"<u{width}").tobytes()
        return _KIND.pack(_REQUEST) + known + shape + zlib.compress(body, _LIGHT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """How often prompts that have a record came again, by their fingerprints."""

    times: Mapping[int, int]

    def encode(self) -> bytes:
        pairs = (_REPEAT.pack(fingerprint, times) for fingerprint, times in self.times.items())
        return _KIND.pack(_REPEATS) + b"".join(pairs)


def decode_payload(payload: bytes) -> HistoryRecord | Repeats:
    """Read what `encode` wrote.

    Raises:
        RecordError: they are of another version, or of another length than their shape says.
    """
    kind = payload[0] if payload else None
    if kind == _REQUEST:
        return _decode_record(payload)
    if kind == _REPEATS and (len(payload) - _KIND.size) % _REPEAT.size == 0:
        return Repeats(times=dict(_REPEAT.iter_unpack(payload[_KIND.size :])))
    raise RecordError(f"no record of this version: {len(payload)} bytes of kind {kind}")


def fingerprint_of(payload: bytes) -> int | None:
    """The fingerprint in a record's bytes, without reading the rest; None where it has none."""
    if len(payload) < _HEAD_BYTES or payload[0] != _REQUEST:
        return None
    known, fingerprint, _ = _KNOWN.unpack_from(payload, _KIND.size)
    return int(fingerprint) if known else None


def _decode_record(payload: bytes) -> HistoryRecord:
    if len(payload) < _HEAD_BYTES:
        raise RecordError(f"a record has at least {_HEAD_BYTES} bytes, got {len(payload)}")
    known, fingerprint, at = _KNOWN.unpack_from(payload, _KIND.size)
    fields = _SHAPE.unpack_from(payload, _KIND.size + _KNOWN.size)
    prompt_tokens, decode_tokens, hidden, layers, experts, width = fields
    if width not in (2, 4) or known > 1:
        raise RecordError(f"a record's counts have 2 or 4 bytes, got {width}")
    vector_bytes = _SCALE.size + 2 * hidden if hidden else 0
    body = _inflated(payload[_HEAD_BYTES:], vector_bytes + 2 * layers * experts * width)
    counts = np.frombuffer(body, f"<u{width}", offset=vector_bytes).astype(np.uint32)
    prefill, decode = counts.reshape(2, layers, experts)
    try:
        return HistoryRecord(
            prompt_tokens=prompt_tokens,
            decode_tokens=decode_tokens,
            vector=_vector(body, hidden),
            prefill=prefill,
            decode=decode,
            fingerprint=fingerprint if known else None,
            recorded_at=at or None,
        )
    except ValueError as error:
        raise RecordError(str(error)) from error


def _inflated(data: bytes, size: int) -> bytes:
    """Exactly `size` bytes, never more in memory whatever the data says."""
    engine = zlib.decompressobj()
    try:
        body = engine.decompress(data, size + 1)
    except zlib.error as error:
        raise RecordError(f"a record that cannot be read: {error}") from error
    if len(body) != size or not engine.eof or engine.unused_data:
        raise RecordError(f"a record's body must have {size} bytes")
    return body


def _vector_bytes(vector: NDArray[np.float32] | None) -> bytes:
    if vector is None:
        return b""
    scale = float(np.abs(vector).max()) or 1.0
    return _SCALE.pack(scale) + (vector / np.float64(scale)).astype("<f2").tobytes()


def _vector(body: bytes, hidden: int) -> NDArray[np.float32] | None:
    if not hidden:
        return None
    (scale,) = _SCALE.unpack_from(body)
    units: NDArray[Any] = np.frombuffer(body, "<f2", hidden, _SCALE.size)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(units * np.float64(scale), np.float32)


def _is_vector(vector: NDArray[np.float32]) -> bool:
    shaped = vector.dtype == np.float32 and vector.ndim == 1 and len(vector) > 0
    return shaped and bool(np.isfinite(vector).all())
