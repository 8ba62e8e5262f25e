"""The status of a service, whole, and what changed in it that is worth an event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from remoe_operator.children.gateway import gateway_url
from remoe_operator.children.labels import Component
from remoe_operator.cluster.kinds import Manifest
from remoe_operator.planned.summary import cost_now, summary_of
from remoe_operator.reconcile.conditions import Findings, Statement, statements, timed
from remoe_operator.reconcile.observed import Observed
from remoe_operator.reconcile.partstates import scaling_history
from remoe_operator.reconcile.plans import StoredPlan
from remoe_operator.reconcile.times import written
from remoe_operator.resource.status import (
    ConditionType,
    FetchProgress,
    MoEServiceStatus,
    PlanSummary,
)
from remoe_operator.settings import Settings

_MOST_PARTS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """An event to post about a service."""

    reason: str
    message: str
    warning: bool = False


def status_before(resource: Manifest) -> MoEServiceStatus:
    """The status as it stands; an empty one where it cannot be read."""
    try:
        return MoEServiceStatus.model_validate(resource.get("status") or {})
    except ValidationError:
        return MoEServiceStatus()


def status_of(
    findings: Findings, settings: Settings, progress: FetchProgress | None
) -> MoEServiceStatus:
    """The whole status, from what was found."""
    observed, before = findings.observed, status_before(findings.observed.resource)
    service, moment = observed.service, written(observed.now)
    main = observed.main
    return MoEServiceStatus(
        observed_generation=service.generation,
        conditions=timed(
            statements(findings),
            before.conditions,
            generation=service.generation,
            moment=moment,
        ),
        url=gateway_url(service.namespace, settings),
        model=service.spec.model.served_name or service.name,
        fetch=_progress(findings, progress, before),
        plan=_summary(findings.choice.target, observed),
        proposed_plan=_summary(findings.choice.waiting, observed),
        measured_cost_per_hour=_cost(findings),
        parts=tuple(part.state for part in findings.parts[:_MOST_PARTS]),
        scaling=scaling_history(
            {part.name: part.desired for part in before.parts},
            findings.parts,
            before.scaling,
            moment,
        ),
        replicas=int((main or {}).get("status", {}).get("replicas") or 0),
        selector=_selector(main) if main else None,
    )


def stopped_status(
    resource: Manifest, said_now: Sequence[Statement], moment: str
) -> MoEServiceStatus:
    """The status of a service of which nothing more than this can be said: what was known stays."""
    before = status_before(resource)
    generation = int(resource["metadata"].get("generation") or 0)
    said = timed(said_now, before.conditions, generation=generation, moment=moment)
    kept = [c for c in before.conditions if c.type is not ConditionType.READY]
    return before.model_copy(
        update={"conditions": (*said, *kept), "observed_generation": generation}
    )


def _progress(
    findings: Findings, progress: FetchProgress | None, before: MoEServiceStatus
) -> FetchProgress | None:
    facts = findings.fetch.facts
    if findings.fetch.is_current and facts is not None:
        return FetchProgress(
            bytes_done=facts.bytes, bytes_total=facts.bytes, revision=facts.revision or None
        )
    return progress or before.fetch


def _summary(stored: StoredPlan | None, observed: Observed) -> PlanSummary | None:
    return summary_of(stored.plan, observed.service.spec) if stored else None


def _cost(findings: Findings) -> str | None:
    stage = findings.stage
    if stage is None:
        return None
    digest = stage.main.plan.digest
    awake = {
        part.part: part.ready for part in findings.of(Component.FUNCTION) if part.plan == digest
    }
    awake |= {part.part: part.ready for part in findings.of(Component.MAIN)}
    return cost_now(stage.main.plan, findings.observed.service.spec, awake)


def _selector(main: Manifest) -> str:
    wanted: Mapping[str, str] = main["spec"]["selector"]["matchLabels"]
    return ",".join(f"{label}={value}" for label, value in sorted(wanted.items()))


def as_written(status: MoEServiceStatus) -> dict[str, Any]:
    """As the API server keeps it."""
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def notices(before: MoEServiceStatus, after: MoEServiceStatus) -> Iterator[Notice]:
    """What is worth an event: a change of plan, a proposal, and every turn of `Ready`."""
    if after.plan and (before.plan is None or before.plan.digest != after.plan.digest):
        yield Notice(reason="PlanChanged", message=_told("plan", after.plan))
    proposed = after.proposed_plan
    if proposed and (
        before.proposed_plan is None or before.proposed_plan.digest != proposed.digest
    ):
        yield Notice(reason="PlanProposed", message=_told("proposed plan", proposed))
    old, new = _ready(before), _ready(after)
    if new is not None and (old is None or old.status is not new.status):
        yield Notice(
            reason="Ready" if new.holds else new.reason,
            message=new.message,
            warning=old is not None and old.holds and not new.holds,
        )


def _ready(status: MoEServiceStatus) -> Statement | None:
    return next(
        (
            Statement(type=c.type, status=c.status, reason=c.reason, message=c.message)
            for c in status.conditions
            if c.type is ConditionType.READY
        ),
        None,
    )


def _told(what: str, plan: PlanSummary) -> str:
    cost = f", {plan.cost_per_hour} an hour" if plan.cost_per_hour else ""
    return (
        f"{what} {plan.digest}: {plan.remote_experts} of {plan.experts} experts in "
        f"{plan.functions} functions{cost}"
    )
