"""What a plan is made from beside requests, and how much of it is left out of a limit."""

from __future__ import annotations

from dataclasses import dataclass, replace

from remoe_planner.architecture import Architecture
from remoe_planner.billing import Billing
from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.offerings import MemoryGrid, Offerings
from remoe_planner.planning.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """A model on a machine, with a price list and a promise.

    Attributes:
        architecture: the model.
        profile: the machine.
        offerings: what can be rented.
        slo: what is promised.
    """

    architecture: Architecture
    profile: HardwareProfile
    offerings: Offerings
    slo: Slo

    def certain(self) -> World:
        """The same where nothing is left to luck: only work is billed, promises are sums."""
        call = replace(self.profile.call, deviation_seconds=0.0)
        offerings = replace(self.offerings, billing=Billing.BUSY, main_keep_alive_seconds=None)
        return replace(
            self,
            profile=replace(self.profile, call=call),
            offerings=offerings,
            slo=replace(self.slo, percentile=0.5),
        )

    def in_steps_of(self, step_bytes: int) -> World:
        """The same with other steps of memory."""
        offered = self.offerings
        offerings = replace(
            offered,
            function_memory=_finer(offered.function_memory, step_bytes),
            main_memory=_finer(offered.main_memory, step_bytes),
        )
        return replace(self, offerings=offerings)

    def problem(self, routing: Routing, workload: Workload) -> Problem:
        """As a planner is given it."""
        return Problem(
            architecture=self.architecture,
            routing=routing,
            workload=workload,
            slo=self.slo,
            profile=self.profile,
            offerings=self.offerings,
        )


def _finer(grid: MemoryGrid, step_bytes: int) -> MemoryGrid:
    return MemoryGrid(
        least_bytes=grid.least_bytes, most_bytes=grid.most_bytes, step_bytes=step_bytes
    )
