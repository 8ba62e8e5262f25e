"""A prompt's direction and length as the features of a regression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_LENGTH_WEIGHT = 0.5
_TINY = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VectorFeatures:
    """How features are made, settled on past prompts.

    Attributes:
        center: [width] subtracted from directions.
        scale: of what is left, so that its mean square is 1.
        lengths: [2, 3] mean of the lengths' features, and their spread.
    """

    center: NDArray[np.float32]
    scale: float
    lengths: NDArray[np.float32]

    @classmethod
    def settled(cls, units: NDArray[np.float32], tokens: NDArray[np.int64]) -> VectorFeatures:
        """From past prompts: directions [n, width] and lengths [n]."""
        center = units.mean(axis=0, dtype=np.float64).astype(np.float32)
        off = units - center
        square = float(np.einsum("nd,nd->", off, off, dtype=np.float64) / len(units))
        raw = _lengths(tokens)
        return cls(
            center=center,
            scale=1 / max(_TINY, square**0.5),
            lengths=np.stack([raw.mean(axis=0), raw.std(axis=0) + _TINY]).astype(np.float32),
        )

    def of(self, units: NDArray[np.float32], tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features [n, d] of directions [n, width] and lengths [n]."""
        mean, spread = self.lengths
        lengths = (_lengths(tokens) - mean) / spread * (_LENGTH_WEIGHT / len(mean) ** 0.5)
        directions = (units - self.center) * np.float32(self.scale)
        return np.concatenate([directions, lengths], axis=1, dtype=np.float32)


def _lengths(tokens: NDArray[np.int64]) -> NDArray[np.float32]:
    """A token that every prompt begins with weighs 1/n in it, and noise goes by the root."""
    n = np.maximum(tokens, 1).astype(np.float64)
    return np.stack([1 / n, 1 / np.sqrt(n), np.log(n)], axis=1).astype(np.float32)
