"""Where each expert runs, as tables that a whole layer's routing can be looked up in at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remoe_planner.architecture import Architecture
from remoe_planner.plan import Plan

LOCAL = 0


class Placement:
    """A plan as one table per model.

    Attributes:
        architecture: the model's.
        functions: names of the functions, in the plan's order.
        homes: int16 [MoE layers, experts]; LOCAL, or 1 + the function's place in `functions`.
    """

    def __init__(self, plan: Plan) -> None:
        self.architecture = plan.architecture
        self.functions = tuple(function.name for function in plan.functions)
        self.homes: NDArray[np.int16] = np.zeros(plan.architecture.shape, dtype=np.int16)
        self.row_of = {layer: row for row, layer in enumerate(plan.architecture.layers)}
        for number, function in enumerate(plan.functions, start=1):
            for expert in function.experts:
                self.homes[self.row_of[expert.layer], expert.index] = number
        self.local_experts = plan.local_experts

    def function_at(self, home: int) -> str:
        """The name of the function a table entry other than LOCAL stands for."""
        return self.functions[home - 1]


def check_plan(plan: Plan, architecture: Architecture) -> None:
    """Refuse a plan made for another model.

    Raises:
        ValueError: layers, experts or weights differ; says which.
    """
    for field in ("layers", "experts_per_layer", "top_k", "hidden_size", "revision"):
        planned, found = getattr(plan.architecture, field), getattr(architecture, field)
        if planned != found:
            raise ValueError(f"the plan is for another model: {field} is {planned}, got {found}")
