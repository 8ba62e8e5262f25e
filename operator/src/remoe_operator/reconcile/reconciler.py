"""One pass over one service: observe, decide, apply, report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from remoe_operator.children.fetch_job import fetch_job
from remoe_operator.children.labels import Component
from remoe_operator.cluster.errors import ClusterError
from remoe_operator.cluster.events import EventRecorder
from remoe_operator.cluster.kinds import MOE_SERVICE, Manifest, kind_of
from remoe_operator.cluster.objects import Objects
from remoe_operator.planned.summary import shortfalls_of
from remoe_operator.reconcile.asking import Pods
from remoe_operator.reconcile.conditions import Findings, Statement, invalid, unseen
from remoe_operator.reconcile.fetching import Fetch, FetchPhase, fetch_state
from remoe_operator.reconcile.observed import Observed, component_of
from remoe_operator.reconcile.observing import InvalidSpecError, observe
from remoe_operator.reconcile.partstates import parts_of
from remoe_operator.reconcile.planning import Planning
from remoe_operator.reconcile.report import (
    as_written,
    notices,
    status_before,
    status_of,
    stopped_status,
)
from remoe_operator.reconcile.rollout import rollout
from remoe_operator.reconcile.times import written
from remoe_operator.reconcile.wanted import basis, fetched, parts, planned, unwanted
from remoe_operator.resource.status import FetchProgress, MoEServiceStatus
from remoe_operator.settings import Settings

_SOON_SECONDS, _WATCHFUL_SECONDS = 2.0, 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """What came of a pass.

    Attributes:
        observed: what was found; None where the service is gone, or cannot be read.
        findings: what was made of it.
        again_after_seconds: when to come back unasked; None for not before the next resync.
        wrote: whether any object was changed.
        failure: an error that may be gone next time, for the queue to back off from.
    """

    observed: Observed | None = None
    findings: Findings | None = None
    again_after_seconds: float | None = None
    wrote: bool = False
    failure: ClusterError | None = None


class Reconciler:
    """Brings services to what their resources ask.

    Args:
        objects: the cluster's.
        events: where changes are told.
        pods: to ask fetch pods how far they are.
        planning: makes plans.
        settings: the operator's.
        gateway_errors: what the API server would not do for a namespace's gateway; written by the
            gateway's own passes.
    """

    def __init__(
        self,
        objects: Objects,
        events: EventRecorder,
        pods: Pods,
        planning: Planning,
        settings: Settings,
        gateway_errors: dict[str, ClusterError],
    ) -> None:
        self._objects, self._events, self._pods = objects, events, pods
        self._planning, self._settings = planning, settings
        self._gateway_errors = gateway_errors

    async def reconcile(self, namespace: str, name: str) -> Pass:
        """One pass over one service; a service that is gone takes its children with it.

        Raises:
            ClusterError: the API server could not be read from or told.
        """
        resource = await self._objects.get(MOE_SERVICE, namespace, name)
        if resource is None or resource["metadata"].get("deletionTimestamp"):
            return Pass()
        try:
            observed = await observe(self._objects, resource)
        except InvalidSpecError as error:
            await self._stop(resource, invalid(str(error)))
            return Pass()
        except ClusterError as error:
            if error.lasting:
                await self._stop(resource, unseen(error))
            raise
        return await self._pass(observed)

    async def _stop(self, resource: Manifest, said: Sequence[Statement]) -> None:
        moment = written(datetime.now(UTC))
        await self._tell(resource, stopped_status(resource, said, moment))

    async def _pass(self, observed: Observed) -> Pass:
        settings, service = self._settings, observed.service
        job = fetch_job(service, settings, observed.token_version)
        fetch = fetch_state(observed, job["metadata"]["name"])
        choice, refused = await self._planning.choose(observed, fetch.facts)
        stage = rollout(observed, choice)
        wanted = [*basis(observed, settings), *fetched(observed, fetch, job)]
        wanted += planned(service, choice, stage)
        if fetch.facts is not None and stage is not None:
            wanted += parts(observed, settings, fetch.facts, stage)
        errors, wrote = await self._apply(observed, wanted)
        for child in unwanted(observed, wanted, job=job, fetch=fetch, stage=stage):
            await self._objects.delete(child)
            wrote = True
        target = choice.target
        findings = Findings(
            observed=observed,
            fetch=fetch,
            choice=choice,
            refused=refused,
            shortfalls=shortfalls_of(target.plan, service.spec) if target else (),
            stage=stage,
            parts=parts_of(observed),
            errors=self._with_gateway(errors, service.namespace),
        )
        status = status_of(findings, settings, await self._progress(fetch))
        await self._tell(observed.resource, status)
        return Pass(
            observed=observed,
            findings=findings,
            again_after_seconds=_again(findings),
            wrote=wrote,
            failure=next((e for e in errors.values() if not e.lasting), None),
        )

    async def _apply(
        self, observed: Observed, wanted: Iterable[Manifest]
    ) -> tuple[dict[Component, ClusterError], bool]:
        """Apply each; one that fails keeps none of the others from being applied."""
        errors: dict[Component, ClusterError] = {}
        wrote = False
        for manifest in wanted:
            live = observed.live(kind_of(manifest), manifest["metadata"]["name"])
            if live is manifest:
                continue  # to be kept as it is
            try:
                wrote |= await self._objects.converge(manifest, live)
            except ClusterError as error:
                errors.setdefault(Component(component_of(manifest)), error)
        return errors, wrote

    def _with_gateway(
        self, errors: dict[Component, ClusterError], namespace: str
    ) -> dict[Component, ClusterError]:
        known = self._gateway_errors.get(namespace)
        return errors | ({Component.GATEWAY: known} if known else {})

    async def _progress(self, fetch: Fetch) -> FetchProgress | None:
        return await self._pods.progress(fetch.pod) if fetch.pod else None

    async def _tell(self, resource: Manifest, status: MoEServiceStatus) -> None:
        """Write the status where it changed, and tell what is worth an event."""
        after = as_written(status)
        if after == (resource.get("status") or {}):
            return
        before = status_before(resource)
        await self._objects.write_status(resource, after)
        for notice in notices(before, status):
            await self._events.post(resource, notice.reason, notice.message, warning=notice.warning)


def _again(findings: Findings) -> float | None:
    """When to look again though nothing may have been told: at what no watch tells of."""
    fetch, stage = findings.fetch, findings.stage
    if fetch.phase is FetchPhase.LOST or fetch.due:
        return _SOON_SECONDS
    if findings.observed.missing_references or fetch.phase is FetchPhase.RUNNING:
        return _WATCHFUL_SECONDS
    if stage is not None and stage.hold_main:
        return _WATCHFUL_SECONDS
    unwell = any(part.trouble or part.ready < part.desired for part in findings.parts)
    return _WATCHFUL_SECONDS if unwell else None
