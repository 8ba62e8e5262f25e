"""A plan by recorded use alone, within the resource's bounds, where no latency is promised.

The share of experts that is asked for is bent where the bounds want it: more become remote where
the main model's memory is bounded, fewer where the functions cannot hold them. What was bent is
said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from remoe_operator.resource.spec import MoEServiceSpec, Tier
from remoe_planner.architecture import Architecture
from remoe_planner.least_used import FunctionKnobs, plan_least_used
from remoe_planner.method import Method
from remoe_planner.offerings import Offerings
from remoe_planner.plan import Plan

_FUNCTIONS = 4


class DoesNotFitError(Exception):
    """The resource's bounds leave no plan; the message names the field to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Room:
    """How many experts fit where.

    Attributes:
        least_remote: what the main model's memory leaves no room for.
        in_function: experts in one function at most.
        most_remote: experts in all functions together at most.
    """

    least_remote: int
    in_function: int
    most_remote: int


def plan_by_use(
    spec: MoEServiceSpec,
    architecture: Architecture,
    utility: NDArray[np.float64] | None,
    offerings: Offerings,
) -> Plan:
    """The plan, with reasons.

    Args:
        spec: what is asked for.
        architecture: the model.
        utility: [layers, experts], recorded assignments; None where nothing is recorded.
        offerings: bounds.

    Raises:
        DoesNotFitError: no placement fits the bounds.
    """
    asked = _asked(spec, architecture)
    count = _bent(spec, architecture, asked, _room(architecture, offerings))
    plan = plan_least_used(
        architecture,
        np.zeros(architecture.shape) if utility is None else utility,
        remote_share=count / architecture.expert_count,
        functions=_functions(count, architecture, offerings),
        knobs=FunctionKnobs(
            max_replicas=offerings.max_replicas,
            keep_alive_seconds=offerings.function_keep_alive_seconds,
            memory=offerings.memory,
        ),
    )
    bent = () if count == asked else (_why_bent(asked, count),)
    return replace(
        _at_least(plan, offerings), method=Method.LEAST_USED, reasons=bent + plan.reasons
    )


def _asked(spec: MoEServiceSpec, architecture: Architecture) -> int:
    tiers = spec.experts.tiers
    if tiers == (Tier.LOCAL,):
        return 0
    share = spec.experts.remote_share if Tier.LOCAL in tiers else 1.0
    return int(share * architecture.expert_count + 0.5)


def _bent(spec: MoEServiceSpec, architecture: Architecture, asked: int, room: _Room) -> int:
    if room.least_remote > architecture.expert_count:
        raise DoesNotFitError(
            f"main.memoryLimit {spec.main.memory_limit} is too small: without any routed expert "
            f"the main model needs more"
        )
    if Tier.LOCAL not in spec.experts.tiers and room.most_remote < asked:
        raise DoesNotFitError(
            f"experts.tiers allows no local experts, and {spec.experts.max_functions} functions "
            f"(experts.maxFunctions) of {spec.experts.max_memory} (experts.maxMemory) hold "
            f"{room.most_remote} of {architecture.expert_count} experts"
        )
    if spec.experts.tiers == (Tier.LOCAL,) and room.least_remote:
        raise DoesNotFitError(
            f"experts.tiers allows local experts alone, and main.memoryLimit "
            f"{spec.main.memory_limit} does not hold all of them: {room.least_remote} would have "
            f"to be remote"
        )
    if room.least_remote > room.most_remote:
        raise DoesNotFitError(
            f"main.memoryLimit {spec.main.memory_limit} wants {room.least_remote} remote experts "
            f"at least, and the functions (experts.maxFunctions, experts.maxMemory) hold "
            f"{room.most_remote}"
        )
    return min(max(asked, room.least_remote), room.most_remote)


def _room(architecture: Architecture, offerings: Offerings) -> _Room:
    memory = offerings.memory
    excess = memory.of_main(architecture, architecture.expert_count) - (
        offerings.main_memory.most_bytes
    )
    free = offerings.function_memory.most_bytes - memory.function_working_bytes
    inside = max(free // architecture.expert_bytes, 0)
    return _Room(
        least_remote=max(math.ceil(excess / architecture.expert_bytes), 0),
        in_function=inside,
        most_remote=min(inside * offerings.max_functions, architecture.expert_count),
    )


def _functions(count: int, architecture: Architecture, offerings: Offerings) -> int:
    """The usual number, or as many more as their memory asks for."""
    inside = max(_room(architecture, offerings).in_function, 1)
    return max(min(_FUNCTIONS, offerings.max_functions), math.ceil(count / inside))


def _at_least(plan: Plan, offerings: Offerings) -> Plan:
    least = offerings.function_memory.least_bytes
    raised = tuple(
        replace(function, memory_bytes=max(function.memory_bytes, least))
        for function in plan.functions
    )
    return replace(plan, functions=raised)


def _why_bent(asked: int, count: int) -> str:
    if count > asked:
        return (
            f"{asked} remote experts were asked for; main.memoryLimit leaves no room for so many "
            f"others, so {count} are remote."
        )
    return (
        f"{asked} remote experts were asked for; experts.maxFunctions and experts.maxMemory hold "
        f"{count}."
    )
