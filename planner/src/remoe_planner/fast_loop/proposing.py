"""What a new plan is worth beside the one in force: both estimated under the use of late."""

from __future__ import annotations

from dataclasses import dataclass

from remoe_planner.billing import Billing
from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.estimate import Estimate
from remoe_planner.estimating.estimate_plan import estimate_plan
from remoe_planner.fast_loop.change import change_between
from remoe_planner.fast_loop.drift import Proposal
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.offerings import Offerings
from remoe_planner.plan import Plan
from remoe_planner.planning.promise import keeps


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Service:
    """What both plans are estimated for.

    Attributes:
        workload: the requests, of late.
        profile: the machine.
        offerings: prices, and which way of billing counts.
        slo: what is promised.
    """

    workload: Workload
    profile: HardwareProfile
    offerings: Offerings
    slo: Slo

    def estimate(self, plan: Plan, routing: Routing) -> Estimate:
        """What a plan does under a routing."""
        return estimate_plan(
            plan,
            routing=routing,
            workload=self.workload,
            profile=self.profile,
            offerings=self.offerings,
            slo=self.slo,
        )

    def per_hour(self, estimate: Estimate) -> float:
        """What an hour costs, billed as the offerings say."""
        awake = self.offerings.billing is Billing.AWAKE
        return (estimate.awake if awake else estimate.busy).per_hour


def proposal(before: Plan, after: Plan, routing: Routing, service: Service) -> Proposal:
    """A new plan beside the one in force.

    Args:
        before: the plan in force.
        after: the new one, of the same model.
        routing: use of late.
        service: what both are estimated for.

    Raises:
        ValueError: the plans are of different models, or the routing of another shape.
    """
    old, new = service.estimate(before, routing), service.estimate(after, routing)
    return Proposal(
        current_per_hour=service.per_hour(old),
        proposed_per_hour=service.per_hour(new),
        change=change_between(
            before, after, profile=service.profile, prices=service.offerings.prices
        ),
        rescues_slo=not keeps(old, service.slo) and keeps(new, service.slo),
    )
