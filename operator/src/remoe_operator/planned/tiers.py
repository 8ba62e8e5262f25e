"""A plan with its functions kept awake, or all left to sleep, where the resource says which."""

from __future__ import annotations

from dataclasses import replace

from remoe_operator.resource.spec import MoEServiceSpec, Tier
from remoe_planner.plan import FunctionPlan, Plan


def plans_remotely(spec: MoEServiceSpec) -> bool:
    """Whether the planner may choose between local and remote experts."""
    return Tier.LOCAL in spec.experts.tiers and len(spec.experts.tiers) > 1


def within_tiers(plan: Plan, spec: MoEServiceSpec) -> Plan:
    """The plan with its functions in allowed tiers, and a reason where one had to change.

    The estimate is left as it was: whoever changes the plan asks for another.
    """
    functions = tuple(_allowed(function, spec.experts.tiers) for function in plan.functions)
    if functions == plan.functions:
        return plan
    awake = Tier.ALWAYS_ON in spec.experts.tiers
    why = (
        "experts.tiers has no on-demand: every function keeps a replica."
        if awake
        else "experts.tiers has no always-on: every function may sleep."
    )
    return replace(plan, functions=functions, reasons=(why, *plan.reasons))


def _allowed(function: FunctionPlan, tiers: tuple[Tier, ...]) -> FunctionPlan:
    if Tier.ON_DEMAND not in tiers:
        return replace(function, min_replicas=max(function.min_replicas, 1))
    if Tier.ALWAYS_ON not in tiers:
        return replace(function, min_replicas=0)
    return function
