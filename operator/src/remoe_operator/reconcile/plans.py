"""Which of the plans that were made is to be carried out, and which one waits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from remoe_operator.children import labels
from remoe_operator.children.plan_config import PlanInForce, plan_config, plan_of
from remoe_operator.children.service import Service
from remoe_operator.cluster.kinds import CONFIG_MAP, Manifest
from remoe_operator.reconcile.observed import Observed, label
from remoe_operator.reconcile.times import written

APPROVE = "remoe.dev/approve"
"""Annotation of a MoEService: the digest of the plan that its owner wants carried out."""

MADE_AT, CHOSEN_AT = "remoe.dev/made-at", "remoe.dev/chosen-at"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """A plan in its ConfigMap.

    Attributes:
        plan: with digest, and the key of what it was made from.
        made_at: when; as written.
        chosen_at: when it was decided to carry it out; empty where it was not.
    """

    plan: PlanInForce
    made_at: str
    chosen_at: str = ""

    def manifest(self, service: Service) -> Manifest:
        """The ConfigMap."""
        made = plan_config(service, self.plan)
        notes = {MADE_AT: self.made_at} | ({CHOSEN_AT: self.chosen_at} if self.chosen_at else {})
        made["metadata"]["annotations"] = (made["metadata"].get("annotations") or {}) | notes
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was chosen among the plans.

    Attributes:
        stored: all plans, as they are to be kept.
        target: the one to carry out; None where there is none yet.
        waiting: the one that waits for approval.
    """

    stored: tuple[StoredPlan, ...] = ()
    target: StoredPlan | None = None
    waiting: StoredPlan | None = None

    def by_digest(self, digest: str) -> StoredPlan | None:
        """The plan of a digest."""
        return next((s for s in self.stored if s.plan.digest == digest), None)


def stored_plans(observed: Observed) -> tuple[StoredPlan, ...]:
    """The plans on the cluster; what cannot be read, say of another version, is left out."""
    return tuple(_read(c for c in observed.all(CONFIG_MAP) if label(c, labels.PLAN)))


def _read(configs: Iterable[Manifest]) -> Iterable[StoredPlan]:
    for config in configs:
        notes = config["metadata"].get("annotations") or {}
        created = config["metadata"].get("creationTimestamp", "")
        try:
            plan = plan_of(config)
        except ValueError:
            continue
        yield StoredPlan(
            plan=plan,
            made_at=str(notes.get(MADE_AT) or created),
            chosen_at=str(notes.get(CHOSEN_AT) or ""),
        )


def latest_for(stored: Sequence[StoredPlan], key: str) -> StoredPlan | None:
    """The newest plan that was made from a question."""
    fitting = [plan for plan in stored if plan.plan.key == key]
    return max(fitting, key=lambda plan: (plan.made_at, plan.chosen_at), default=None)


def with_new(
    stored: Sequence[StoredPlan], made: PlanInForce, now: datetime
) -> tuple[StoredPlan, ...]:
    """The plans with another, just made; the same plan again keeps whether it was chosen."""
    known = next((s for s in stored if s.plan.digest == made.digest), None)
    new = replace(known or StoredPlan(plan=made, made_at=""), plan=made, made_at=written(now))
    return (*(s for s in stored if s.plan.digest != made.digest), new)


def choose(
    stored: Sequence[StoredPlan], key: str, *, auto_apply: bool, approved: str, now: datetime
) -> Choice:
    """Decide which plan is carried out.

    Args:
        stored: the plans there are.
        key: of the question as it stands.
        auto_apply: whether the newest is taken without asking.
        approved: digest that the owner approved; empty for none.
        now: becomes the moment of choice.
    """
    latest, target = latest_for(stored, key), in_force(stored)
    if latest is None or (target is not None and latest.plan.digest == target.plan.digest):
        return Choice(stored=tuple(stored), target=target)
    if not auto_apply and approved != latest.plan.digest:
        return Choice(stored=tuple(stored), target=target, waiting=latest)
    chosen = replace(latest, chosen_at=_after(target, now))
    others = (s for s in stored if s.plan.digest != chosen.plan.digest)
    return Choice(stored=(*others, chosen), target=chosen)


def in_force(stored: Sequence[StoredPlan]) -> StoredPlan | None:
    """The plan that was chosen last."""
    chosen = [plan for plan in stored if plan.chosen_at]
    return max(chosen, key=lambda plan: plan.chosen_at, default=None)


def _after(target: StoredPlan | None, now: datetime) -> str:
    """The moment of a choice, after that of the one before even where clocks jump."""
    moment = written(now)
    return moment if target is None or moment > target.chosen_at else _bumped(target.chosen_at)


def _bumped(moment: str) -> str:
    return written(datetime.fromisoformat(moment) + timedelta(seconds=1))
