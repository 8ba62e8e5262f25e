"""From the cheapest that a request could cost to what it costs with us, cause by cause.

Every plan is judged by the simulator, each request alone and everything awake. Plans for all
requests together keep the promise for 95 % of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from remoe_planner.estimating.placed import Placed
from remoe_planner.method import Method
from remoe_planner.planning.make_plan import make_plan
from remoe_simulator.limit.floor import floor
from remoe_simulator.limit.habits import Habits
from remoe_simulator.limit.playing import alone
from remoe_simulator.limit.recipe import Cook
from remoe_simulator.limit.world import World

KEPT_SHARE = 0.95
FINE_STEP_BYTES = 1 << 24


def world_of(setting):
    """What plans are made from and judged by, at this setting."""
    return World(
        architecture=setting.architecture,
        profile=setting.beside_functions,
        offerings=setting.rented(gpu=setting.machine.main_on_gpu),
        slo=setting.slo,
    )


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a request costs, a mean, once this cause and all before it are let in."""

    name: str
    usd: float
    note: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Causes:
    """What the steps are worked out from.

    `requests` are served, `learned` are of the side that plans may know; `ours` is our plan as
    `Placed`, made for the routing, workload and promise that `setting` tells.
    """

    setting: object
    world: World
    requests: list
    learned: list
    ours: Placed

    def problem(self, world=None):
        """As a planner has it that need not allow for luck."""
        return (world or self.world).problem(self.setting.routing, self.setting.workload)

    def floors(self, world=None):
        """What no placement is below, request by request."""
        problem = self.problem(world)
        return [floor(problem, request) for request in self.requests]

    @cached_property
    def hindsight(self):
        """The best placement found for all requests together, their routing known."""
        return self._searched(self.requests, self.ours)

    def found(self, request):
        """The best placement found for one request whose routing is known, as it was served."""
        best = self._searched([request], self.ours, self.hindsight)
        return self._judged(best, [request])[0]

    def judged(self, placed):
        """The requests under one placement."""
        return self._judged(placed, self.requests)

    def steps(self, floors, found):
        """From the least that anything can cost to ours."""
        finer = self.world.in_steps_of(FINE_STEP_BYTES)
        history = self._searched(self.learned, self.ours)
        means = (
            ("oracle's optimum", _mean(self.floors(finer)), _FLOOR),
            ("grid of sizes", _mean(floors), _GRID),
            ("bound that no plan reaches", _usd(found), _FOUND),
            ("one plan for all requests", _usd(self.judged(self.hindsight)), _ONE),
            ("routing not known", _usd(self.judged(history)), _UNKNOWN),
            ("planner's own distance", _usd(self.judged(self._without_allowance())), _DISTANCE),
            ("worst-case allowance", _usd(self.judged(self.ours)), _ALLOWANCE),
        )
        return [Step(name=name, usd=usd, note=note) for name, usd, note in means]

    def _searched(self, requests, *others):
        """The cheapest for these requests together that a search finds, or one of the others."""

        def cost(placed):
            served = self._judged(placed, requests)
            kept = _mean([one.keeps(self.world.slo) for one in served])
            return _usd(served) if kept >= KEPT_SHARE else float("inf")

        cook = Cook(problem=self.problem(), habits=Habits.of(requests, self.world.profile))
        best = cook.best(cost)
        return min((one for one in (best, *others) if one is not None), key=cost)

    def _without_allowance(self):
        """Our planner's plan where the mean request is promised what all are promised."""
        setting, world = self.setting, self.world
        made = make_plan(
            world.architecture,
            method=Method.MARGINAL,
            routing=setting.routing,
            workload=setting.workload,
            slo=world.slo,
            profile=world.profile,
            offerings=world.offerings,
        )
        return Placed.of(made.plan, world.offerings)

    def _judged(self, placed, requests):
        return alone(placed, requests, self.world)


def _usd(served):
    return _mean([one.busy.cost for one in served])


def _mean(values):
    return float(np.mean(values))


_FLOOR = (
    "A bound for every placement of whole experts, made for each request's true routing: each "
    "decode step splits its picks over functions as suits it best, in memory of any size."
)
_GRID = "Memory in the steps that are rented."
_FOUND = "The best plan that a search found for each request by itself, its true routing known."
_ONE = "The best single plan that the same search found, all requests' true routing known."
_UNKNOWN = "The same search on requests of the side that plans are made from."
_DISTANCE = "What our planner makes of that side's routing, without a search by simulation."
_ALLOWANCE = "The same with calls' luck and requests' spread allowed for, so that 95 % are inside."
