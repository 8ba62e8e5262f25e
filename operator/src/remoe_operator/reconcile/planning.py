"""Making plans when there are none for the question, or when use has drifted; and choosing one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, NamedTuple

from remoe_operator.children.facts_config import ModelFacts
from remoe_operator.planned.digest import question_key
from remoe_operator.planned.planning import Made, Refused, make, usage_asks_for_a_plan
from remoe_operator.reconcile.asking import Pods
from remoe_operator.reconcile.observed import Observed
from remoe_operator.reconcile.plans import (
    APPROVE,
    Choice,
    StoredPlan,
    choose,
    in_force,
    latest_for,
    stored_plans,
    with_new,
)
from remoe_operator.reconcile.times import seconds_since

_LOG = logging.getLogger(__name__)
_ASK_EVERY_SECONDS = 180.0
_SETTLED_SECONDS = 600.0
_REFUSAL_SECONDS = 600.0


class Chosen(NamedTuple):
    """A choice, and why no plan could be made for the question as it stands, if so."""

    choice: Choice
    refused: Refused | None = None


class Planning:
    """Keeps a plan at hand for what a service asks.

    What it remembers saves work only: after a restart it comes to the same plans.

    Args:
        pods: to ask gateways what was used.
        clock: seconds that only grow.
    """

    def __init__(self, pods: Pods, *, clock: Callable[[], float] = monotonic) -> None:
        self._pods, self._clock = pods, clock
        self._one_at_a_time = asyncio.Semaphore(1)
        self._asked: dict[str, float] = {}
        self._refused: dict[str, tuple[str, float, Refused]] = {}

    def forget(self, uid: str) -> None:
        """A service is gone."""
        self._asked.pop(uid, None)
        self._refused.pop(uid, None)

    async def choose(self, observed: Observed, facts: ModelFacts | None) -> Chosen:
        """The plan to carry out, made anew where there is none, or where a new one pays."""
        stored = stored_plans(observed)
        if facts is None or "profile" in observed.missing_references:
            return Chosen(Choice(stored=stored, target=in_force(stored)))
        service = observed.service
        key = question_key(service.spec, facts, observed.profile)
        answer = await self._answer(observed, facts, stored, key)
        if isinstance(answer, Made):
            stored = with_new(stored, answer.plan, observed.now)
        choice = choose(
            stored,
            key,
            auto_apply=service.spec.auto_apply,
            approved=service.annotations.get(APPROVE, ""),
            now=observed.now,
        )
        return Chosen(choice, answer if isinstance(answer, Refused) else None)

    async def _answer(
        self, observed: Observed, facts: ModelFacts, stored: tuple[StoredPlan, ...], key: str
    ) -> Made | Refused | None:
        """A new plan, or why there is none; None where the ones there are will do."""
        latest = latest_for(stored, key)
        if latest is None:
            if known := self._known_refusal(observed, key):
                return known
            return await self._make(observed, facts, key, await self._usage(observed))
        if not self._drift_is_due(observed, stored, latest):
            return None
        usage = await self._usage(observed)
        if usage is None or not usage_asks_for_a_plan(usage):
            return None
        answer = await self._make(observed, facts, key, usage)
        same = isinstance(answer, Made) and answer.plan.digest == latest.plan.digest
        return None if same or isinstance(answer, Refused) else answer

    def _known_refusal(self, observed: Observed, key: str) -> Refused | None:
        known = self._refused.get(observed.service.uid)
        if known is None or known[0] != key or self._clock() - known[1] > _REFUSAL_SECONDS:
            return None
        return known[2]

    def _drift_is_due(
        self, observed: Observed, stored: tuple[StoredPlan, ...], latest: StoredPlan
    ) -> bool:
        """Whether to ask again: a plan settles first, and one that waits is not overtaken."""
        target = in_force(stored)
        if target is None or target.plan.digest != latest.plan.digest:
            return False
        age = seconds_since(max(latest.made_at, latest.chosen_at), observed.now)
        now, uid = self._clock(), observed.service.uid
        if (age is not None and age < _SETTLED_SECONDS) or (
            now - self._asked.get(uid, -_ASK_EVERY_SECONDS) < _ASK_EVERY_SECONDS
        ):
            return False
        self._asked[uid] = now
        return True

    async def _usage(self, observed: Observed) -> Mapping[str, Any] | None:
        service = observed.service
        model = service.spec.model.served_name or service.name
        return await self._pods.usage(observed.gateway_pods, model)

    async def _make(
        self, observed: Observed, facts: ModelFacts, key: str, usage: Mapping[str, Any] | None
    ) -> Made | Refused:
        service = observed.service
        async with self._one_at_a_time:
            answer = await asyncio.to_thread(
                make, service.spec, facts, usage=usage, profile=observed.profile
            )
        if isinstance(answer, Refused):
            self._refused[service.uid] = (key, self._clock(), answer)
        else:
            for note in answer.notes:
                _LOG.info("%s/%s: %s", service.namespace, service.name, note)
        return answer
