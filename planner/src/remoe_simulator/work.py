"""What passes over the routed experts took, before it is anybody's bill."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """Passes over the routed experts.

    Attributes:
        seconds: [passes, layers].
        calls: [passes], of functions.
        calls_in_row: [passes], layers that wait for any.
        gib_seconds: [passes], of functions: their own time, by memory.
        functions: [calls], the function of each, pass by pass.
        bounds: [passes + 1], where the calls of each pass begin.
        borrowed: indices into what was asked of experts whose function was not there.
    """

    seconds: NDArray[np.float64]
    calls: NDArray[np.int64]
    calls_in_row: NDArray[np.int64]
    gib_seconds: NDArray[np.float64]
    functions: NDArray[np.intp]
    bounds: NDArray[np.intp]
    borrowed: NDArray[np.intp]

    def functions_of(self, turn: int) -> NDArray[np.intp]:
        """Functions called in one pass, some more than once."""
        return self.functions[self.bounds[turn] : self.bounds[turn + 1]]
