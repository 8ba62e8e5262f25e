"""What a plan would be if one expert lived elsewhere: estimated anew, beside the plan as it is.

Only where the expert lives changes, and the memory that follows from it; nothing is planned anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from remoe_planner.demand.workload import Workload
from remoe_planner.estimate import Estimate
from remoe_planner.estimating.estimate_plan import estimate_placed
from remoe_planner.estimating.given import Given
from remoe_planner.estimating.placed import Placed
from remoe_planner.experts import ExpertId
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.memory import MIB
from remoe_planner.offerings import MemoryGrid, Offerings
from remoe_planner.plan import FunctionPlan, Plan
from remoe_planner.planning.grounds import Grounds
from remoe_planner.preallocation.main_memory import MainMemory


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """An expert elsewhere.

    Attributes:
        target: the function it would go to; None where it would stay beside the main model.
        before: of the plan as it is.
        after: of the plan with the expert there.
        broken: the constraints that this would break, with what it takes and what is allowed.
    """

    target: str | None
    before: Estimate
    after: Estimate
    broken: tuple[str, ...]


def moved(plan: Plan, expert: ExpertId, grounds: Grounds, profile: HardwareProfile) -> Move | None:
    """The expert where it would do best among the places where it is not.

    A remote expert would stay beside the main model; a local one would go into a function of those
    that serve its layer, into one that serves as many others, or into a new one.

    Args:
        plan: as it is.
        expert: one of its model.
        grounds: what the plan was made from.
        profile: the machine.

    Returns:
        The cheapest of those that break the fewest constraints; None where there is no other place.
    """
    world = _World(plan, grounds, profile)
    before = world.estimate(plan)
    known = {name for name, _ in world.broken(plan, before)}
    found = []
    for target, other in _elsewhere(plan, expert, grounds):
        after = world.estimate(other)
        broken = tuple(words for name, words in world.broken(other, after) if name not in known)
        found.append(Move(target=target, before=before, after=after, broken=broken))
    billing = grounds.offerings.billing
    return min(
        found, key=lambda m: (len(m.broken), m.after.under(billing).per_request), default=None
    )


class _World:
    """One workload on one machine, worked out once for all the places that are tried."""

    def __init__(self, plan: Plan, grounds: Grounds, profile: HardwareProfile) -> None:
        self._grounds, self._profile = grounds, profile
        self._top_k = plan.architecture.top_k
        self._given: dict[bool, Given] = {}

    def estimate(self, plan: Plan) -> Estimate:
        """What a plan is expected to do."""
        grounds, remote = self._grounds, bool(plan.functions)
        if remote not in self._given:
            own = self._profile.of_main(functions=remote)
            self._given[remote] = Given(grounds.routing, grounds.workload, own, self._top_k)
        return estimate_placed(
            Placed.of(plan, grounds.offerings),
            given=self._given[remote],
            offerings=grounds.offerings,
            slo=grounds.slo,
        )

    def broken(self, plan: Plan, estimate: Estimate) -> Iterator[tuple[str, str]]:
        """The constraints that a plan does not keep, each by name and in words."""
        slo, offerings, latency = self._grounds.slo, self._grounds.offerings, estimate.latency
        largest = max((function.memory_bytes for function in plan.functions), default=0)
        for name, had, bound in (
            ("TTFT", latency.ttft_at_percentile_seconds, slo.ttft_seconds),
            ("TPOT", latency.tpot_at_percentile_seconds, slo.tpot_seconds),
        ):
            if bound is not None and had > bound:
                yield name, f"{name} ({1e3 * had:.1f} ms of {1e3 * bound:.1f} ms)"
        if estimate.load is not None and estimate.load.overloaded:
            yield "load", f"load ({estimate.load.worst_share:.3g} times what can be done)"
        for name, size, most in (
            ("main memory", plan.main_memory_bytes, offerings.main_memory.most_bytes),
            ("function size", largest, offerings.function_memory.most_bytes),
        ):
            if size > most:
                yield name, f"{name} ({size / MIB:,.0f} MiB of {most / MIB:,.0f} MiB)"
        if len(plan.functions) > offerings.max_functions:
            yield (
                "number of functions",
                f"number of functions ({len(plan.functions)} of {offerings.max_functions})",
            )


def _elsewhere(plan: Plan, expert: ExpertId, grounds: Grounds) -> Iterator[tuple[str | None, Plan]]:
    """The plan with the expert in every other place worth a look."""
    offerings, work = grounds.offerings, grounds.workload
    home = plan.function_of(expert)
    if home is not None:
        rest = tuple(each for each in home.experts if each != expert)
        left = _resized(plan, home, rest, offerings) if rest else None
        yield None, _with(plan, home.name, left, _main_bytes(plan, +1, offerings, work))
        return
    main = _main_bytes(plan, -1, offerings, work)
    for function in _nearest(plan, expert):
        served = tuple(sorted((*function.experts, expert)))
        larger = _resized(plan, function, served, offerings)
        yield function.name, _with(plan, function.name, larger, main)
    own = _alone(plan, expert, offerings)
    yield (
        own.name,
        replace(plan, functions=(*plan.functions, own), main_memory_bytes=main, estimate=None),
    )


def _nearest(plan: Plan, expert: ExpertId) -> list[FunctionPlan]:
    """Functions of the expert's layer first, then those that serve the fewest experts."""
    layer = expert.layer

    def order(function: FunctionPlan) -> tuple[bool, int, str]:
        here = any(other.layer == layer for other in function.experts)
        return not here, len(function.experts), function.name

    return sorted(plan.functions, key=order)[:TRIED]


def _with(plan: Plan, name: str, function: FunctionPlan | None, main_bytes: int) -> Plan:
    """The plan with this function, or none, in place of the one of this name."""
    functions = (function if each.name == name else each for each in plan.functions)
    return replace(
        plan,
        functions=tuple(each for each in functions if each is not None),
        main_memory_bytes=main_bytes,
        estimate=None,
    )


def _resized(
    plan: Plan, function: FunctionPlan, experts: tuple[ExpertId, ...], offerings: Offerings
) -> FunctionPlan:
    """A function with other experts, and as much memory beyond their need as before."""
    architecture, memory = plan.architecture, offerings.memory
    needed, before = (
        _on_grid(offerings.function_memory, memory.of_function(architecture, len(each)))
        for each in (experts, function.experts)
    )
    size = function.memory_bytes + needed - before
    cores = function.cores if size == function.memory_bytes else _cores(offerings, size)
    return replace(function, experts=experts, memory_bytes=size, cores=cores)


def _alone(plan: Plan, expert: ExpertId, offerings: Offerings) -> FunctionPlan:
    """A new function for it."""
    needed = offerings.memory.of_function(plan.architecture, 1)
    size = _on_grid(offerings.function_memory, needed)
    return FunctionPlan(
        name=NEW,
        experts=(expert,),
        memory_bytes=size,
        max_replicas=offerings.max_replicas,
        keep_alive_seconds=offerings.function_keep_alive_seconds,
        cores=_cores(offerings, size),
    )


def _main_bytes(plan: Plan, more: int, offerings: Offerings, work: Workload) -> int:
    """The main model's memory with so many more local experts."""
    memory = MainMemory(
        architecture=plan.architecture,
        offerings=offerings,
        tokens=work.max_prompt_tokens + work.max_output_tokens,
    )
    local = plan.architecture.expert_count - sum(len(each.experts) for each in plan.functions)
    needed, before = (
        _on_grid(offerings.main_memory, float(memory.needed(np.array(count))))
        for count in (local + more, local)
    )
    return plan.main_memory_bytes + needed - before


def _on_grid(grid: MemoryGrid, needed_bytes: float) -> int:
    """The next size of the grid, which goes on beyond what is on offer."""
    steps = max(math.ceil((needed_bytes - grid.least_bytes) / grid.step_bytes), 0)
    return grid.least_bytes + steps * grid.step_bytes


def _cores(offerings: Offerings, memory_bytes: int) -> float:
    return float(offerings.function_cores(memory_bytes))


TRIED = 8
NEW = "a-new-function"
