"""Why a first plan is as it is: sentences for people, derived from the plan itself."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from remoe_planner.experts import ExpertId
from remoe_planner.memory import MIB, MemoryModel
from remoe_planner.plan import FunctionPlan, Plan


def reasons_for(plan: Plan, utility: NDArray[np.float64], memory: MemoryModel) -> tuple[str, ...]:
    """One sentence per decision of `plan_least_used`.

    Args:
        plan: what was decided.
        utility: [layers, experts], what it was decided from.
        memory: the allowances the sizes were made with.
    """
    use = _shares_of_use(plan, utility)
    functions = (_function_sentence(plan, f, use, memory) for f in plan.functions)
    return (_choice_sentence(plan, utility, use), *functions, _main_sentence(plan, memory))


def _shares_of_use(plan: Plan, utility: NDArray[np.float64]) -> dict[ExpertId, float] | None:
    """Each expert's share of all recorded assignments; None where none were recorded."""
    total = float(utility.sum())
    if not total:
        return None
    return dict(zip(plan.architecture.experts, (utility / total).ravel().tolist(), strict=True))


def _choice_sentence(
    plan: Plan, utility: NDArray[np.float64], use: dict[ExpertId, float] | None
) -> str:
    remote, count = len(plan.remote_experts), plan.architecture.expert_count
    if use is None:
        return (
            f"No activations are recorded, so all experts count as equally used: {remote} of "
            f"{count} are remote, as evenly over the layers as the number allows."
        )
    return (
        f"{remote} of {count} experts are remote, the least used ones: together they served "
        f"{_percent(use, plan.remote_experts)} of {utility.sum():,.0f} recorded assignments."
    )


def _function_sentence(
    plan: Plan, function: FunctionPlan, use: dict[ExpertId, float] | None, memory: MemoryModel
) -> str:
    layers = len({expert.layer for expert in function.experts})
    share = f", {_percent(use, function.experts)} of the use" if use else ""
    weights = len(function.experts) * plan.architecture.expert_bytes
    return (
        f"Function {function.name} serves {len(function.experts)} experts of {layers} layers"
        f"{share}: {_mib(weights)} of weights and {_mib(memory.function_working_bytes)} to work in."
    )


def _main_sentence(plan: Plan, memory: MemoryModel) -> str:
    experts = len(plan.local_experts) * plan.architecture.expert_bytes
    return (
        f"The main model is given {_mib(plan.main_memory_bytes)}: {_mib(experts)} for "
        f"{len(plan.local_experts)} local experts, {_mib(plan.architecture.main_bytes)} for the "
        f"other weights and {_mib(memory.main_working_bytes)} to work in."
    )


def _percent(use: dict[ExpertId, float], experts: Iterable[ExpertId]) -> str:
    return f"{100 * sum(use[expert] for expert in experts):.1f} %"


def _mib(size: int) -> str:
    return f"{size / MIB:,.0f} MiB"
