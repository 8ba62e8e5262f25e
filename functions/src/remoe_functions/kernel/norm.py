"""A norm as native code sees it: a row over its root mean square, times a weight."""

from __future__ import annotations

from dataclasses import dataclass

from remoe_functions.kernel.layout import NORM


@dataclass(frozen=True, slots=True, kw_only=True)
class Norm:
    """Whoever makes it keeps the weight alive.

    Attributes:
        weight: address of float32 [width]; 0 for no norm at all.
        epsilon: added to the mean square.
    """

    weight: int
    epsilon: float

    @property
    def packed(self) -> bytes:
        """As native code reads it."""
        return NORM.pack(self.weight, self.epsilon, 0)


NO_NORM = Norm(weight=0, epsilon=0.0)
