"""What a forecast from a prompt's vector stood on, as signs of how far it may be off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorSupport:
    """Signs of the evidence.

    Attributes:
        tokens: length of the prompt.
        nearest: cosine of the most similar past prompt.
        typical: mean cosine of those that took part: low when neighbors are few or far.
        entropy: mean entropy of the forecast's layers, in bits.
    """

    tokens: int
    nearest: float
    typical: float
    entropy: float

    @property
    def signs(self) -> tuple[float, ...]:
        """What the expected divergence is a log-linear function of."""
        length = float(np.log(max(self.tokens, 1)))
        return 1.0, length, length**2, self.nearest, self.typical, self.entropy


def vector_support(
    frequencies: NDArray[np.float64], tokens: int, cosines: NDArray[np.float64]
) -> VectorSupport:
    """Of a forecast [layers, experts] and the cosines of the prompts that took part."""
    logs = np.log2(np.maximum(frequencies, 1e-12))
    return VectorSupport(
        tokens=tokens,
        nearest=float(cosines.max(initial=0.0)),
        typical=float(cosines.mean()) if len(cosines) else 0.0,
        entropy=float(-(frequencies * logs).sum(axis=1).mean()),
    )
