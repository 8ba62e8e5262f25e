"""What a plan was made from, as far as it is still at hand when somebody asks why."""

from __future__ import annotations

from dataclasses import dataclass, field

from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.offerings import Offerings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grounds:
    """What an explanation draws on.

    Attributes:
        routing: how tokens spread over the experts.
        workload: the requests.
        offerings: what can be rented.
        slo: what is promised to the requests.
        profile: the machine; None where nobody measured one, and nothing can be estimated.
    """

    routing: Routing
    workload: Workload
    offerings: Offerings
    slo: Slo = field(default_factory=Slo)
    profile: HardwareProfile | None = None
