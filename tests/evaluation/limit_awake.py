"""The same question where every second awake is paid for: what knowing all arrivals would save.

The least is a search's, no bound: one plan for all requests whose parts are started exactly in time
and kept only where that is shorter than starting anew. Forecasts and keep-alives know less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from evaluation.limit_steps import KEPT_SHARE, Step, world_of
from evaluation.point import CALL_USD, Load, Point
from evaluation.stage import arriving

from remoe_planner.billing import Billing
from remoe_planner.estimating.placed import Placed
from remoe_simulator.contenders.planned import ours
from remoe_simulator.limit.arrivals_known import with_arrivals_known
from remoe_simulator.limit.habits import Habits
from remoe_simulator.limit.playing import alone
from remoe_simulator.limit.recipe import Cook

POINT = Point(
    billing=Billing.AWAKE,
    load=Load(name="36 an hour", requests_per_second=1 / 100),
    call_usd=CALL_USD,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Arriving:
    """Requests by chance, `ours` as it served them in `day`, and the `world` that bills them."""

    setting: object
    world: object
    requests: list
    ours: Placed
    day: object

    @classmethod
    def on(cls, stage, count):
        setting = stage.setting(POINT)
        arrivals = arriving(count, POINT, stage.seed)
        one = ours(setting)
        world = world_of(setting)
        return cls(
            setting=setting,
            world=world.certain(),
            requests=list(stage.requests(arrivals)),
            ours=Placed.of(one.plan, world.offerings),
            day=stage.day(one, arrivals, belief="ours"),
        )

    def steps(self):
        """From everything known before to ours."""
        count = len(self.requests)
        best, own = self._known(self._searched()), self._known(self.ours)
        starting = self.day.starting.cost - own.starting
        awake = self.day.awake.cost
        return [
            Step(name="all arrivals known", usd=best.cost / count, note=_KNOWN),
            Step(name="planner's own distance", usd=own.cost / count, note=_PLAN),
            Step(name="idle time", usd=(awake - starting) / count, note=_IDLE),
            Step(name="cold starts", usd=awake / count, note=_STARTS),
        ]

    def _searched(self):
        problem = self.world.problem(self.setting.routing, self.setting.workload)
        cook = Cook(problem=problem, habits=Habits.of(self.requests, self.world.profile))

        def cost(placed):
            served = alone(placed, self.requests, self.world)
            kept = np.mean([one.keeps(self.world.slo) for one in served])
            if kept < KEPT_SHARE:
                return float("inf")
            return with_arrivals_known(placed, self.requests, served, self.world).cost

        best = cook.best(cost)
        return self.ours if best is None else min((best, self.ours), key=cost)

    def _known(self, placed):
        served = alone(placed, self.requests, self.world)
        return with_arrivals_known(placed, self.requests, served, self.world)


_KNOWN = "The best single plan found whose parts start exactly in time; no proven bound."
_PLAN = "Our plan for these arrivals by chance, its parts still started exactly in time."
_IDLE = "Seconds awake that no request needs: keep-alive, early wakes that nobody called."
_STARTS = "More starts, and longer ones, than with all arrivals known."
