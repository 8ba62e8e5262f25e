"""The operator's question to the planner, and the answer as a value; a refusal is one, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from remoe_operator.children.facts_config import ModelFacts
from remoe_operator.children.plan_config import PlanInForce
from remoe_operator.planned.by_use import DoesNotFitError, plan_by_use
from remoe_operator.planned.digest import digest_of, question_key
from remoe_operator.planned.machine import machine_of
from remoe_operator.planned.offered import offerings_of
from remoe_operator.planned.summary import shortfalls_of
from remoe_operator.planned.tiers import plans_remotely, within_tiers
from remoe_operator.planned.usage import Usage
from remoe_operator.planned.workload import slo_of, workload_of
from remoe_operator.resource.spec import MoEServiceSpec
from remoe_planner.architecture import Architecture
from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.estimating.estimate_plan import estimate_plan, with_estimate
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.method import Method
from remoe_planner.offerings import Offerings
from remoe_planner.plan import Plan
from remoe_planner.planning.make_plan import make_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A plan was made.

    Attributes:
        plan: with its digest and the key of its question.
        shortfalls: sentences about promises that it misses; empty where it keeps them all.
        notes: what else is to be said, such as recorded use that could not be read.
    """

    plan: PlanInForce
    shortfalls: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def feasible(self) -> bool:
        return not self.shortfalls


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No plan can be made.

    Attributes:
        reason: one CamelCase word for a condition.
        message: a sentence that names the field to change.
    """

    reason: str
    message: str


def make(
    spec: MoEServiceSpec,
    facts: ModelFacts,
    *,
    usage: Mapping[str, Any] | None = None,
    profile: str | None = None,
) -> Made | Refused:
    """The cheapest plan within the spec's bounds that keeps its promise, or comes nearest.

    Takes up to seconds for the largest models: run it beside the event loop.

    Args:
        spec: what is asked for.
        facts: the model.
        usage: the gateway's answer to /usage, where there is one.
        profile: text of the measured hardware profile, where `spec.profile` names one.
    """
    architecture = facts.architecture
    recorded, notes = _recorded(usage, architecture)
    try:
        question = _question(spec, architecture, recorded, profile)
        plan = _chosen(question, recorded, measured=profile is not None)
    except DoesNotFitError as error:
        return Refused(reason="NothingFits", message=f"{error}.")
    except _ProfileError as error:
        return Refused(reason="ProfileInvalid", message=f"profile {_name(spec)}: {error}.")
    except ValueError as error:
        return Refused(reason="NothingFits", message=f"No plan fits the spec's bounds: {error}.")
    made = PlanInForce(plan=plan, digest=digest_of(plan), key=question_key(spec, facts, profile))
    return Made(plan=made, shortfalls=shortfalls_of(made, spec), notes=notes)


def usage_asks_for_a_plan(usage: Mapping[str, Any]) -> bool:
    """Whether the gateway says that a plan made from what it recorded would pay."""
    saving = usage.get("replan_saving_per_hour")
    return isinstance(saving, int | float) and saving > 0


class _ProfileError(Exception):
    """The hardware profile that the resource names cannot be used."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Question:
    """Everything a plan is made from."""

    spec: MoEServiceSpec
    architecture: Architecture
    routing: Routing
    workload: Workload
    slo: Slo
    machine: HardwareProfile
    offerings: Offerings

    @property
    def promised(self) -> bool:
        return self.slo.ttft_seconds is not None or self.slo.tpot_seconds is not None

    def estimated(self, plan: Plan) -> Plan:
        """The plan with what it is expected to do."""
        estimate = estimate_plan(
            plan,
            routing=self.routing,
            workload=self.workload,
            profile=self.machine,
            offerings=self.offerings,
            slo=self.slo,
        )
        return with_estimate(plan, estimate)


def _question(
    spec: MoEServiceSpec, architecture: Architecture, usage: Usage | None, profile: str | None
) -> _Question:
    try:
        machine = machine_of(spec, architecture, profile)
    except ValueError as error:
        raise _ProfileError(str(error)) from error
    return _Question(
        spec=spec,
        architecture=architecture,
        routing=Routing.even(architecture) if usage is None else usage.routing,
        workload=workload_of(spec, usage),
        slo=slo_of(spec),
        machine=machine,
        offerings=offerings_of(spec, machine),
    )


def _chosen(question: _Question, usage: Usage | None, *, measured: bool) -> Plan:
    """By cost where a latency is promised or the machine is known, else by use; as on a laptop."""
    by_cost = (question.promised or measured) and plans_remotely(question.spec)
    plan = _by_cost(question) if by_cost else _by_use(question, usage)
    kept = within_tiers(plan, question.spec)
    if kept is plan and plan.estimate is not None:
        return plan
    return question.estimated(kept)


def _by_cost(question: _Question) -> Plan:
    try:
        return make_plan(
            question.architecture,
            method=Method.MARGINAL,
            routing=question.routing,
            workload=question.workload,
            slo=question.slo,
            profile=question.machine,
            offerings=question.offerings,
        ).plan
    except ValueError as error:
        raise DoesNotFitError(
            f"main.memoryLimit, experts.maxMemory and experts.maxFunctions leave no plan: {error}"
        ) from error


def _by_use(question: _Question, usage: Usage | None) -> Plan:
    utility = None if usage is None else usage.utility
    plan = plan_by_use(question.spec, question.architecture, utility, question.offerings)
    # The main model's GPU memory is no matter of use, and is had in whole devices anyway.
    gpu_bytes = question.architecture.main_bytes if question.offerings.gpu else 0
    return replace(plan, main_gpu_bytes=gpu_bytes)


def _recorded(
    usage: Mapping[str, Any] | None, architecture: Architecture
) -> tuple[Usage | None, tuple[str, ...]]:
    """What was recorded; without what cannot be read a plan is made as for a new model."""
    if not usage or not usage.get("requests"):
        return None, ()
    try:
        return Usage.of(usage, architecture), ()
    except ValueError as error:
        return None, (f"Recorded use was left out: {error}.",)


def _name(spec: MoEServiceSpec) -> str:
    return "" if spec.profile is None else f"{spec.profile.name}/{spec.profile.key}"
