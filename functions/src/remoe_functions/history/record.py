"""One request's routing, and its form as bytes."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SHAPE = struct.Struct(
    "<IIIII"
)  # prompt tokens, decode tokens, hidden (0: no vector), layers, experts


class RecordError(ValueError):
    """Bytes that are no record, though their checksum holds: of another version, say."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HistoryRecord:
    """What one request did.

    Attributes:
        prompt_tokens: tokens of the prompt.
        decode_tokens: decode steps.
        vector: [hidden] float32, the prompt's vector (`remoe_planner.prompt_vector`), if known.
        prefill: [layers, experts] uint32, assignments of prompt tokens.
        decode: [layers, experts] uint32, assignments of generated tokens.
    """

    prompt_tokens: int
    decode_tokens: int
    vector: NDArray[np.float32] | None
    prefill: NDArray[np.uint32]
    decode: NDArray[np.uint32]

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
            raise ValueError("vector must be [hidden] float32 and not empty")

    def encode(self) -> bytes:
        """The record as bytes; `decode_record` reads them back."""
        hidden = 0 if self.vector is None else len(self.vector)
        vector = b"" if self.vector is None else self.vector.astype("<f4").tobytes()
        shape = _SHAPE.pack(self.prompt_tokens, self.decode_tokens, hidden, *self.prefill.shape)
        counts = (np.ascontiguousarray(c, "<u4").tobytes() for c in (self.prefill, self.decode))
        return b"".join((shape, vector, *counts))


def decode_record(payload: bytes) -> HistoryRecord:
    """Read `HistoryRecord.encode`'s bytes.

    Raises:
        RecordError: they are of another length than their own shape says.
    """
    if len(payload) < _SHAPE.size:
        raise RecordError(f"a record has at least {_SHAPE.size} bytes, got {len(payload)}")
    prompt_tokens, decode_tokens, hidden, layers, experts = _SHAPE.unpack_from(payload)
    cells = layers * experts
    if len(payload) != _SHAPE.size + 4 * (hidden + 2 * cells):
        raise RecordError(f"a record of shape {layers}x{experts} cannot have {len(payload)} bytes")
    vector = np.frombuffer(payload, "<f4", hidden, _SHAPE.size).astype(np.float32)
    counts = np.frombuffer(payload, "<u4", 2 * cells, _SHAPE.size + 4 * hidden).astype(np.uint32)
    prefill, decode = counts.reshape(2, layers, experts)
    return HistoryRecord(
        prompt_tokens=prompt_tokens,
        decode_tokens=decode_tokens,
        vector=vector if hidden else None,
        prefill=prefill,
        decode=decode,
    )


def _is_vector(vector: NDArray[np.float32]) -> bool:
    return vector.dtype == np.float32 and vector.ndim == 1 and len(vector) > 0
