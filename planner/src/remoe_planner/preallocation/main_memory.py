"""What the main model needs by the number of its local experts, on the grid of what is offered."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.architecture import Architecture
from remoe_planner.offerings import Offerings


@dataclass(frozen=True, slots=True, kw_only=True)
class MainMemory:
    """M_min + M_e: the runtime, the other weights where they are not on a GPU, and local experts.

    The printed M_min counts local experts before they are chosen; here it is what is there
    without any.

    Attributes:
        architecture: the model.
        offerings: the grid, and what a process needs beside its weights.
        tokens: of the longest request, each of which has a row kept (N_max D).
        largest_function_floor: whether the largest function is the least (M_cal).
    """

    architecture: Architecture
    offerings: Offerings
    tokens: int
    largest_function_floor: bool = False

    def needed(self, local_experts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Bytes before rounding, of the same shape."""
        shape = self.architecture
        other_weights = 0 if self.offerings.gpu else shape.main_bytes
        rows = self.tokens * shape.hidden_size * 2
        least = other_weights + self.offerings.memory.main_working_bytes + rows
        needed = least + local_experts * float(shape.expert_bytes)
        floor = self.offerings.function_memory.largest_bytes if self.largest_function_floor else 0
        return np.asarray(np.maximum(needed, float(floor)))

    def fits(self, local_experts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the grid has a size that holds this."""
        sizes = self.offerings.main_memory.sizes
        return np.asarray(self.needed(local_experts) <= sizes[-1])

    def size(self, local_experts: int) -> int:
        """The size to take; the largest where none is large enough."""
        grid = self.offerings.main_memory
        found = grid.at_least(float(self.needed(np.array(local_experts))))
        return int(grid.sizes[-1]) if found is None else found
