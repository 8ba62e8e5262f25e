"""How often each function is used of late, told from single uses: a fading count over time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

MEMORY_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UseRates:
    """Uses of every function, each fading with time.

    Attributes:
        uses: [functions] fading counts, as of `at`.
        at: when they were right, in seconds on the caller's clock.
    """

    uses: NDArray[np.float64]
    at: float

    @classmethod
    def none(cls, functions: int, *, at: float) -> Self:
        """Before the first use."""
        return cls(uses=np.zeros(functions), at=at)

    def after(self, used: NDArray[np.bool_], *, at: float) -> Self:
        """With one more request, which used some of the functions."""
        return replace(self, uses=self._faded(at) + used, at=max(at, self.at))

    def per_second(self, *, at: float) -> NDArray[np.float64]:
        """Uses a second, [functions]."""
        return self._faded(at) / MEMORY_SECONDS

    def _faded(self, at: float) -> NDArray[np.float64]:
        return np.asarray(self.uses * np.exp(-max(at - self.at, 0.0) / MEMORY_SECONDS))
