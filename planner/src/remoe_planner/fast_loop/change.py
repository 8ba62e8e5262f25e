"""What it takes to go from one plan to another: experts that move, and parts that start anew."""

from __future__ import annotations

from dataclasses import dataclass

from remoe_planner.difference import difference
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.memory import GIB
from remoe_planner.plan import Plan
from remoe_planner.prices import Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The way from a plan to another.

    Attributes:
        moved_bytes: weights of experts that change their home.
        functions_started: functions that are new or differ.
        main_restarts: whether the main model must start anew.
        seconds: the longest start; until then the old plan serves, or nobody.
        cost: of the memory held by parts that start.
    """

    moved_bytes: int
    functions_started: int
    main_restarts: bool
    seconds: float
    cost: float


def change_between(
    before: Plan, after: Plan, *, profile: HardwareProfile, prices: Prices
) -> Change:
    """What carrying out `after` takes where `before` is carried out.

    Raises:
        ValueError: the plans are of different models.
    """
    changes = difference(before, after)
    fresh = [f for f in after.functions if f.name in {*changes.added, *changes.changed}]
    weights = after.architecture.expert_bytes
    starts = [profile.function_start.of(len(f.experts) * weights) for f in fresh]
    function_cost = sum(
        seconds * f.memory_bytes / GIB * prices.function_gib_second
        for seconds, f in zip(starts, fresh, strict=True)
    )
    restarts = bool(changes.main_memory_bytes) or any(
        move.before is None or move.after is None for move in changes.moves
    )
    local = len(after.local_experts) * weights + after.architecture.main_bytes
    main_seconds = profile.main_start.of(local) if restarts else 0.0
    gib_second = after.main_memory_bytes / GIB * prices.main_gib_second
    gpu_second = after.main_gpu_bytes / GIB * prices.gpu_gib_second
    return Change(
        moved_bytes=len(changes.moves) * weights,
        functions_started=len(fresh),
        main_restarts=restarts,
        seconds=max([main_seconds, *starts]),
        cost=function_cost + main_seconds * (gib_second + gpu_second),
    )
