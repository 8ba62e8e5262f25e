"""The plan that every other one is compared with: all experts beside the main model."""

from __future__ import annotations

from remoe_planner.architecture import Architecture
from remoe_planner.memory import MemoryModel
from remoe_planner.plan import Plan


def plan_resident(architecture: Architecture, memory: MemoryModel | None = None) -> Plan:
    """Every expert local; the main model is given memory for all of them."""
    needed = (memory or MemoryModel()).of_main(architecture, architecture.expert_count)
    return Plan(
        architecture=architecture,
        functions=(),
        main_memory_bytes=needed,
        reasons=("Every expert is resident in the main model; there are no functions.",),
    )
