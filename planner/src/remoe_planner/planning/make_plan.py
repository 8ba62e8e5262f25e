"""The one door to a plan: check what is given, choose by the method asked for, say what follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from remoe_planner.architecture import Architecture
from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.estimate import Estimate
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.method import Method
from remoe_planner.offerings import Offerings
from remoe_planner.plan import Plan
from remoe_planner.planning.binding import binding
from remoe_planner.planning.decisions import decisions
from remoe_planner.planning.marginal import choose_marginal
from remoe_planner.planning.outcome import Outcome
from remoe_planner.planning.placing import to_plan
from remoe_planner.planning.printed import choose_printed
from remoe_planner.planning.problem import Problem
from remoe_planner.planning.promise import Shortfall, shortfalls
from remoe_planner.preallocation.preallocation import Preallocation


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan, and whether it keeps what was promised.

    Attributes:
        plan: with method, estimate, binding constraints and reasons. Where nothing keeps the
            promise: the plan that comes nearest to it.
        feasible: whether every promise is kept.
        shortfalls: what is missed, by how much, and the best that can be had; empty if feasible.
    """

    plan: Plan
    feasible: bool
    shortfalls: tuple[Shortfall, ...] = ()

    @property
    def estimate(self) -> Estimate:
        """What the plan is expected to do."""
        if self.plan.estimate is None:
            raise ValueError("this plan was made without an estimate")
        return self.plan.estimate


def make_plan(
    architecture: Architecture,
    *,
    method: Method,
    routing: Routing,
    workload: Workload,
    slo: Slo,
    profile: HardwareProfile,
    offerings: Offerings,
    preallocation: Preallocation | None = None,
) -> Planned:
    """The cheapest plan that the method finds inside the SLO.

    Args:
        architecture: the model.
        method: `Method.PRINTED` or `Method.MARGINAL`.
        routing: how tokens spread over the experts.
        workload: the requests.
        slo: what is promised to them.
        profile: the machine.
        offerings: what can be rented; its billing says what is made cheapest.
        preallocation: MMP's answer for the printed method; None: it is asked for here.

    Returns:
        The same for the same arguments.

    Raises:
        ValueError: the routing is of another shape than the model, the method plans for no SLO,
            or not even the smallest placement fits what is on offer; says which.
    """
    problem = Problem(
        architecture=architecture,
        routing=routing,
        workload=workload,
        slo=slo,
        profile=profile,
        offerings=offerings,
        preallocation=preallocation,
    )
    return _planned(problem, method, _chooser(method)(problem))


def _planned(problem: Problem, method: Method, outcome: Outcome) -> Planned:
    missed = shortfalls(outcome.estimate, problem.slo)
    plan = to_plan(
        outcome.placed,
        method,
        estimate=outcome.estimate,
        binding=binding(problem, outcome),
        reasons=decisions(problem, outcome),
    )
    return Planned(plan=plan, feasible=not missed, shortfalls=missed)


def _chooser(method: Method) -> Callable[[Problem], Outcome]:
    try:
        return CHOOSERS[method]
    except KeyError:
        allowed = ", ".join(CHOOSERS)
        raise ValueError(f"method: must be one of {allowed} for an SLO, got {method}") from None


CHOOSERS: Mapping[Method, Callable[[Problem], Outcome]] = MappingProxyType(
    {Method.PRINTED: choose_printed, Method.MARGINAL: choose_marginal}
)
"""The methods that plan for an SLO."""
