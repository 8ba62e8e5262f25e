"""What is true of a service: a statement about each of its sides, and `Ready`, their sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from remoe_operator.children.labels import Component
from remoe_operator.cluster.errors import ClusterError
from remoe_operator.planned.planning import Refused
from remoe_operator.reconcile.fetching import Fetch, FetchPhase
from remoe_operator.reconcile.observed import Observed
from remoe_operator.reconcile.partstates import Part
from remoe_operator.reconcile.plans import APPROVE, Choice
from remoe_operator.reconcile.rollout import Rollout
from remoe_operator.resource.status import Condition, ConditionStatus, ConditionType

_LONGEST = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A condition without its times."""

    type: ConditionType
    status: ConditionStatus
    reason: str
    message: str

    @property
    def holds(self) -> bool:
        return self.status is ConditionStatus.TRUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that statements are made from.

    Attributes:
        observed: what is there.
        fetch: how far the weights have come.
        choice: which plan is carried out, and which waits.
        refused: why no plan could be made.
        shortfalls: promises that the plan misses.
        stage: of the roll-out.
        parts: as they are.
        errors: what the API server would not do, by the kind of part.
    """

    observed: Observed
    fetch: Fetch
    choice: Choice = field(default_factory=Choice)
    refused: Refused | None = None
    shortfalls: tuple[str, ...] = ()
    stage: Rollout | None = None
    parts: tuple[Part, ...] = ()
    errors: Mapping[Component, ClusterError] = field(default_factory=dict)

    @property
    def may_be_waking(self) -> bool:
        """Whether a main model that starts was well before, and requests are held meanwhile."""
        said = (self.observed.resource.get("status") or {}).get("conditions") or ()
        was_ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in said)
        return was_ready and self.observed.service.spec.main.min_replicas == 0

    def of(self, component: Component) -> list[Part]:
        """The parts of a kind."""
        return [part for part in self.parts if part.component is component]

    def failure(self, *components: Component) -> ClusterError | None:
        """What the API server would not do for parts of these kinds."""
        return next((self.errors[c] for c in components if c in self.errors), None)


def statements(findings: Findings) -> tuple[Statement, ...]:
    """`Ready`, and what it is summed up from."""
    each = (
        _fetched(findings),
        _planned(findings),
        _main(findings),
        _functions(findings),
        _gateway(findings),
    )
    return (_ready(findings, each), *each)


def invalid(message: str) -> tuple[Statement, ...]:
    """The one statement about a spec that cannot be read."""
    return (_said(ConditionType.READY, False, "InvalidSpec", message),)


def unseen(error: ClusterError) -> tuple[Statement, ...]:
    """The one statement about a service that the operator may not look at whole."""
    told = f"the operator cannot see to it: {error}"
    return (_said(ConditionType.READY, ConditionStatus.UNKNOWN, error.reason, told),)


def _said(
    kind: ConditionType, status: bool | ConditionStatus, reason: str, message: str
) -> Statement:
    if isinstance(status, bool):
        status = ConditionStatus.TRUE if status else ConditionStatus.FALSE
    return Statement(type=kind, status=status, reason=reason[:128], message=message[:_LONGEST])


def _fetched(findings: Findings) -> Statement:
    kind, fetch = ConditionType.MODEL_FETCHED, findings.fetch
    facts = fetch.facts
    if fetch.is_current and facts is not None:
        size = f"{facts.bytes / 2**30:.2f} GiB"
        return _said(
            kind, True, "Fetched", f"the model is there: revision {facts.revision}, {size}"
        )
    missing = findings.observed.missing_references.get("model.tokenSecret")
    if missing:
        return _said(kind, False, "TokenSecretMissing", missing)
    if error := findings.failure(Component.FETCH, Component.DATA):
        return _said(kind, False, error.reason, str(error))
    if fetch.trouble is not None:
        again = (
            "" if fetch.phase is not FetchPhase.FAILED else "; it is tried again from time to time"
        )
        return _said(kind, False, fetch.trouble.reason, fetch.trouble.message + again)
    return _said(kind, False, "Fetching", "the model's weights are being fetched")


def _planned(findings: Findings) -> Statement:
    kind, choice = ConditionType.PLANNED, findings.choice
    if findings.fetch.facts is None:
        return _said(kind, ConditionStatus.UNKNOWN, "WaitsForModel", "planned once it is fetched")
    if missing := findings.observed.missing_references.get("profile"):
        return _said(kind, choice.target is not None, "ProfileMissing", missing)
    if findings.refused is not None:
        refused = findings.refused
        return _said(kind, choice.target is not None, refused.reason, refused.message)
    if choice.waiting is not None:
        digest, service = choice.waiting.plan.digest, findings.observed.service
        how = f"kubectl annotate moeservice {service.name} --overwrite {APPROVE}={digest}"
        told = f"plan {digest} waits for approval: {how}"
        return _said(kind, choice.target is not None, "WaitsForApproval", told)
    if choice.target is None:
        return _said(kind, False, "Planning", "a plan is being made")
    return _in_force(findings, choice.target.plan.digest)


def _in_force(findings: Findings, digest: str) -> Statement:
    kind, stage = ConditionType.PLANNED, findings.stage
    if stage is not None and stage.waiting_for:
        names = ", ".join(stage.waiting_for[:5])
        told = f"plan {digest} is being rolled out: the main model waits for {names}"
        return _said(kind, True, "RollingOut", told)
    if findings.shortfalls:
        told = f"plan {digest} is carried out, but {'; '.join(findings.shortfalls)}"
        return _said(kind, True, "PromiseMissed", told)
    return _said(kind, True, "Planned", f"plan {digest} is carried out")


def _main(findings: Findings) -> Statement:
    kind = ConditionType.MAIN_AVAILABLE
    error = findings.failure(Component.MAIN)
    main = next(iter(findings.of(Component.MAIN)), None)
    if main is None:
        if error is not None:
            return _said(kind, False, error.reason, str(error))
        return _said(kind, False, "NotMade", "the main model is made once there is a plan")
    also = f"; {error}" if error else ""
    if main.trouble is not None:
        told = f"{main.ready} of {main.desired} replicas answer; {main.trouble.message}{also}"
        return _said(kind, main.ready > 0, main.trouble.reason, told)
    if main.desired == 0:
        return _said(kind, True, "Asleep", f"the main model sleeps, and a request wakes it{also}")
    if main.ready == 0:
        return _said(kind, False, "Starting", f"the main model is starting{also}")
    told = f"{main.ready} of {main.desired} replicas answer{also}"
    return _said(kind, True, "Serving", told)


def _functions(findings: Findings) -> Statement:
    kind = ConditionType.FUNCTIONS_HEALTHY
    if findings.choice.target is None:
        return _said(kind, ConditionStatus.UNKNOWN, "WaitsForPlan", "there is no plan yet")
    parts = findings.of(Component.FUNCTION)
    unwell = [part for part in parts if part.trouble is not None]
    if unwell:
        first = unwell[0]
        reason = first.trouble.reason if first.trouble else ""
        return _said(kind, False, reason, _in_words(unwell))
    if error := findings.failure(Component.FUNCTION):
        return _said(kind, False, error.reason, str(error))
    awake = sum(part.ready > 0 for part in parts)
    if not parts:
        return _said(kind, True, "NoFunctions", "all experts run beside the main model")
    return _said(kind, True, "Healthy", f"{len(parts)} functions, {awake} of them awake")


def _in_words(unwell: Sequence[Part]) -> str:
    """Their troubles, each once, with the names of those that share it."""
    sharing: dict[str, list[str]] = {}
    for part in unwell:
        if part.trouble is not None:
            sharing.setdefault(part.trouble.message, []).append(part.part)
    told = [f"{', '.join(sorted(set(names)))}: {said}" for said, names in sharing.items()]
    more = f" (and {len(told) - 3} more)" if len(told) > 3 else ""
    return f"the main model computes some experts itself; {'; '.join(told[:3])}{more}"


def _gateway(findings: Findings) -> Statement:
    kind = ConditionType.GATEWAY_AVAILABLE
    if missing := findings.observed.missing_references.get("auth.keysSecret"):
        return _said(kind, False, "KeysSecretMissing", f"{missing}: the model is not served openly")
    error = findings.failure(Component.GATEWAY)
    gateway = next(iter(findings.of(Component.GATEWAY)), None)
    if gateway is None:
        reason = error.reason if error else "NotMade"
        return _said(kind, False, reason, str(error or "the gateway is made once there is a plan"))
    also = f"; {error}" if error else ""
    if gateway.trouble is not None:
        told = f"{gateway.ready} of {gateway.desired} replicas answer; {gateway.trouble.message}"
        return _said(kind, gateway.ready > 0, gateway.trouble.reason, told + also)
    if gateway.ready == 0:
        return _said(kind, False, "Starting", f"the gateway is starting{also}")
    told = f"{gateway.ready} of {gateway.desired} replicas answer{also}"
    return _said(kind, True, "Available", told)


def _ready(findings: Findings, each: Sequence[Statement]) -> Statement:
    by_type = {statement.type: statement for statement in each}
    if blocking := _blocking(findings, by_type):
        return _said(ConditionType.READY, False, blocking.reason, blocking.message)
    main = by_type[ConditionType.MAIN_AVAILABLE]
    reason = "Waking" if main.reason == "Starting" else main.reason
    notes = [
        statement.message
        for statement in each
        if statement is main or not statement.holds or statement.reason in _WORTH_SAYING
    ]
    return _said(ConditionType.READY, True, reason, "; ".join(notes))


_WORTH_SAYING = frozenset(("RollingOut", "PromiseMissed", "WaitsForApproval"))


def _blocking(findings: Findings, by_type: Mapping[ConditionType, Statement]) -> Statement | None:
    """The first statement that keeps requests from being answered."""
    fetched, planned = by_type[ConditionType.MODEL_FETCHED], by_type[ConditionType.PLANNED]
    if findings.fetch.facts is None and not fetched.holds:
        return fetched
    main, gateway = by_type[ConditionType.MAIN_AVAILABLE], by_type[ConditionType.GATEWAY_AVAILABLE]
    waking = main.reason == "Starting" and findings.may_be_waking
    blocking = (planned, gateway) if waking else (planned, main, gateway)
    return next((statement for statement in blocking if not statement.holds), None)


def timed(
    made: Sequence[Statement], before: Sequence[Condition], *, generation: int, moment: str
) -> tuple[Condition, ...]:
    """The statements as conditions; the time of one is that of its last change of status."""
    old = {condition.type: condition for condition in before}
    return tuple(
        Condition(
            type=statement.type,
            status=statement.status,
            reason=statement.reason,
            message=statement.message,
            observed_generation=generation,
            last_transition_time=(
                old[statement.type].last_transition_time
                if statement.type in old and old[statement.type].status is statement.status
                else moment
            ),
        )
        for statement in made
    )
