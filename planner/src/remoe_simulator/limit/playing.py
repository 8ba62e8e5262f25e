"""What requests cost and how long they take under a placement: each alone, everything awake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from remoe_planner.estimating.placed import Placed
from remoe_planner.method import Method
from remoe_planner.planning.placing import to_plan
from remoe_simulator.contender import Contender
from remoe_simulator.day import Served
from remoe_simulator.limit.world import World
from remoe_simulator.simulate import simulate
from remoe_simulator.simulated_request import SimulatedRequest


def alone(placed: Placed, requests: Sequence[SimulatedRequest], world: World) -> tuple[Served, ...]:
    """Every request by itself, in their order.

    Args:
        placed: where experts are, and the memory of every part.
        requests: with their true routing.
        world: `certain`, so that nothing is left to luck.
    """
    plan = to_plan(placed, Method.MARGINAL)
    warm = (replace(each, min_replicas=each.max_replicas) for each in plan.functions)
    contender = Contender(
        name="one of many",
        plan=replace(plan, functions=tuple(warm)),
        profile=world.profile,
        prices=world.offerings.prices,
    )
    served: list[Served] = []
    for request in requests:
        served += simulate(contender, [replace(request, arrival_seconds=0.0)]).served
    return tuple(served)
