"""Several encoders as one: their directions side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_functions.encoder.encoder import Encoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """An encoder, and how much its direction weighs beside the others'."""

    encoder: Encoder
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.weight < float("inf"):
            raise ValueError(f"weight must be > 0 and finite, got {self.weight}")


class JointEncoder:
    """The cosine of two of its vectors is the weighted mean of the parts' cosines."""

    def __init__(self, voices: Sequence[Voice]) -> None:
        """Raises ValueError where there are no voices."""
        if not voices:
            raise ValueError("voices must hold at least one encoder, got none")
        self._voices = tuple(voices)

    @property
    def identity(self) -> str:
        return "+".join(f"{v.encoder.identity}*{v.weight:g}" for v in self._voices)

    @property
    def width(self) -> int:
        return sum(voice.encoder.width for voice in self._voices)

    def encode(self, tokens: Sequence[int], text: str) -> NDArray[np.float32]:
        parts = [v.weight * _direction(v.encoder.encode(tokens, text)) for v in self._voices]
        return np.asarray(np.concatenate(parts), np.float32)


def _direction(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length > 0 else vector
