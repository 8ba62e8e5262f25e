"""The first plan: the least used experts leave the main model, everything else stays.

Experts are ranked over all layers at once, where the paper takes the same share of every layer.
Memory sizes follow from the weights. What prices, latency targets and replicas have to say is
not asked here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from remoe_planner.architecture import Architecture
from remoe_planner.experts import ExpertId
from remoe_planner.grouping import Grouping, group
from remoe_planner.memory import MemoryModel
from remoe_planner.method import Method
from remoe_planner.plan import FunctionPlan, Plan
from remoe_planner.reasons import reasons_for


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionKnobs:
    """What every function of the plan has in common.

    Attributes:
        max_replicas: replicas of each at most.
        keep_alive_seconds: how long an idle replica stays.
        memory: what a part needs beside its weights.
    """

    max_replicas: int = 1
    keep_alive_seconds: float = 60.0
    memory: MemoryModel = field(default_factory=MemoryModel)

    def __post_init__(self) -> None:
        if self.max_replicas < 1:
            raise ValueError(f"max_replicas must be >= 1, got {self.max_replicas}")
        if not self.keep_alive_seconds >= 0:
            raise ValueError(f"keep_alive_seconds must be >= 0, got {self.keep_alive_seconds}")


def plan_least_used(
    architecture: Architecture,
    utility: NDArray[np.float64],
    *,
    remote_share: float,
    functions: int = 4,
    grouping: Grouping = Grouping.BY_USE,
    knobs: FunctionKnobs | None = None,
) -> Plan:
    """Make the least used experts remote.

    Args:
        architecture: the model.
        utility: [layers, experts], how much each expert is used (`expert_utility`); all zeros
            where nothing is known, and then every layer gives away as many as the others.
        remote_share: share of all experts to be remote, 0 to 1, rounded to whole experts.
        functions: functions at most, where grouped by use.
        grouping: which remote experts share a function.
        knobs: what the functions have in common.

    Returns:
        The same plan for the same arguments, ties included.

    Raises:
        ValueError: an argument is out of bounds; says which, and what is allowed.
    """
    if not 0 <= remote_share <= 1:
        raise ValueError(f"remote_share must be in 0..1, got {remote_share}")
    if functions < 1:
        raise ValueError(f"functions must be >= 1, got {functions}")
    knobs = knobs or FunctionKnobs()
    remote = _least_used_first(architecture, utility)[: _count(architecture, remote_share)]
    plan = Plan(
        architecture=architecture,
        functions=tuple(
            _function(architecture, name, experts, knobs)
            for name, experts in group(remote, grouping, functions)
        ),
        main_memory_bytes=knobs.memory.of_main(
            architecture, architecture.expert_count - len(remote)
        ),
        method=Method.LEAST_USED,
    )
    return replace(plan, reasons=reasons_for(plan, utility, knobs.memory))


def _count(architecture: Architecture, remote_share: float) -> int:
    """Whole experts in a share, halves upwards."""
    return int(remote_share * architecture.expert_count + 0.5)


def _least_used_first(
    architecture: Architecture, utility: NDArray[np.float64]
) -> tuple[ExpertId, ...]:
    """All experts by use. Ties go by index before layer, so that they spread over the layers."""
    if utility.shape != architecture.shape:
        raise ValueError(f"utility must have shape {architecture.shape}, got {utility.shape}")
    if not np.all(np.isfinite(utility)) or np.any(utility < 0):
        raise ValueError("utility must be finite and >= 0 for every expert")
    used = zip(architecture.experts, utility.ravel().tolist(), strict=True)
    ranked = sorted(used, key=lambda pair: (pair[1], pair[0].index, pair[0].layer))
    return tuple(expert for expert, _ in ranked)


def _function(
    architecture: Architecture, name: str, experts: tuple[ExpertId, ...], knobs: FunctionKnobs
) -> FunctionPlan:
    return FunctionPlan(
        name=name,
        experts=experts,
        memory_bytes=knobs.memory.of_function(architecture, len(experts)),
        max_replicas=knobs.max_replicas,
        keep_alive_seconds=knobs.keep_alive_seconds,
    )
