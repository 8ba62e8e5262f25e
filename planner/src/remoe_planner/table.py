"""A plan as rows: one for the main model, one per function. How they are drawn is not said here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.plan import FunctionPlan, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One part of the plan.

    Attributes:
        part: the function's name, or `main`.
        experts: experts it holds.
        layers: layers they belong to.
        weight_bytes: bytes of its weights.
        memory_bytes: what it is given.
        use_share: share of the recorded assignments that fall on its experts, None if unknown.
        replicas: the least and the most there may be.
        keep_alive_seconds: how long it stays when idle, None for the main model.
    """

    part: str
    experts: int
    layers: int
    weight_bytes: int
    memory_bytes: int
    use_share: float | None
    replicas: tuple[int, int]
    keep_alive_seconds: float | None


def plan_rows(plan: Plan, utility: NDArray[np.float64] | None = None) -> tuple[Row, ...]:
    """The main model, then the functions in the plan's order.

    Args:
        plan: what to show.
        utility: [layers, experts], recorded use (`expert_utility`), for the shares.
    """
    shares = _shares(plan, utility)
    functions = tuple(_function_row(plan, f, shares.get(f.name)) for f in plan.functions)
    return (_main_row(plan, shares.get(None)), *functions)


def _main_row(plan: Plan, share: float | None) -> Row:
    architecture = plan.architecture
    local = plan.local_experts
    return Row(
        part="main",
        experts=len(local),
        layers=len({expert.layer for expert in local}),
        weight_bytes=architecture.main_bytes + len(local) * architecture.expert_bytes,
        memory_bytes=plan.main_memory_bytes,
        use_share=share,
        replicas=(0, 1),
        keep_alive_seconds=None,
    )


def _function_row(plan: Plan, function: FunctionPlan, share: float | None) -> Row:
    return Row(
        part=function.name,
        experts=len(function.experts),
        layers=len({expert.layer for expert in function.experts}),
        weight_bytes=len(function.experts) * plan.architecture.expert_bytes,
        memory_bytes=function.memory_bytes,
        use_share=share,
        replicas=(function.min_replicas, function.max_replicas),
        keep_alive_seconds=function.keep_alive_seconds,
    )


def _shares(plan: Plan, utility: NDArray[np.float64] | None) -> dict[str | None, float]:
    """Share of the use by function name, None for the main model; empty where unknown."""
    if utility is None or not utility.sum():
        return {}
    shares: dict[str | None, float] = {None: 0.0} | {f.name: 0.0 for f in plan.functions}
    weights = (utility / utility.sum()).ravel().tolist()
    for expert, weight in zip(plan.architecture.experts, weights, strict=True):
        function = plan.function_of(expert)
        shares[None if function is None else function.name] += weight
    return shares
