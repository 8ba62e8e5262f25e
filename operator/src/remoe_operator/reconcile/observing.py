"""Reading a service and what belongs to it from the API server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import ValidationError

from remoe_operator.children import labels, names
from remoe_operator.children.labels import Component
from remoe_operator.children.service import Service
from remoe_operator.cluster.kinds import (
    CLAIM,
    CONFIG_MAP,
    DEPLOYMENT,
    EVENT,
    JOB,
    LISTED,
    MOE_SERVICE,
    POD,
    SECRET,
    Kind,
    Manifest,
)
from remoe_operator.cluster.objects import Objects
from remoe_operator.reconcile.observed import Observed, label
from remoe_operator.reconcile.times import seconds_since
from remoe_operator.resource.spec import MoEServiceSpec

_SETTLING_SECONDS = 4.0
"""A pod that is pending for longer is worth asking events about."""


class InvalidSpecError(Exception):
    """The spec is not what this operator's types allow; the text names the fields."""


def service_of(resource: Manifest) -> Service:
    """A MoEService, parsed.

    Raises:
        InvalidSpecError: the spec is not allowed, say from a newer definition.
    """
    meta = resource["metadata"]
    try:
        spec = MoEServiceSpec.model_validate(resource.get("spec") or {})
    except ValidationError as error:
        raise InvalidSpecError(_in_words(error)) from error
    return Service(
        name=meta["name"],
        namespace=meta["namespace"],
        uid=meta["uid"],
        generation=int(meta.get("generation") or 0),
        spec=spec,
        annotations=dict(meta.get("annotations") or {}),
    )


def _in_words(error: ValidationError) -> str:
    parts = (
        f"spec.{'.'.join(str(step) for step in item['loc'])}: {item['msg']}"
        for item in error.errors(include_url=False)
    )
    return "; ".join(parts)


async def observe(objects: Objects, resource: Manifest) -> Observed:
    """Read everything of a service.

    Raises:
        InvalidSpecError: see `service_of`.
        ClusterError: something could not be read.
    """
    service = service_of(resource)
    selector = f"{labels.SERVICE}={service.name}"
    lists, token, pods, gateway, references = await asyncio.gather(
        asyncio.gather(
            *(objects.list(kind, service.namespace, labels=selector) for kind in LISTED)
        ),
        objects.get(SECRET, service.namespace, names.token(service.name)),
        objects.list(POD, service.namespace, labels=selector),
        _gateway(objects, service.namespace),
        _references(objects, service),
    )
    grouped = dict(zip(LISTED, lists, strict=True)) | {SECRET: [token] if token else []}
    ours, strangers = _split(grouped, service.uid)
    now = datetime.now(UTC)
    unwell = _unwell(ours, (*pods, *gateway[1]), now)
    return Observed(
        resource=resource,
        service=service,
        now=now,
        children=ours,
        strangers=strangers,
        pods=tuple(pods),
        gateway=gateway[0],
        gateway_pods=tuple(gateway[1]),
        events=await _events(objects, service.namespace, unwell),
        **references._asdict(),
    )


Grouped = Mapping[Kind, Mapping[str, Manifest]]


def _split(lists: Mapping[Kind, list[Manifest]], uid: str) -> tuple[Grouped, Grouped]:
    ours: dict[Kind, dict[str, Manifest]] = {kind: {} for kind in lists}
    strangers: dict[Kind, dict[str, Manifest]] = {kind: {} for kind in lists}
    for kind, items in lists.items():
        for item in items:
            owners = item["metadata"].get("ownerReferences") or ()
            home = ours if any(owner.get("uid") == uid for owner in owners) else strangers
            home[kind][item["metadata"]["name"]] = item
    return ours, strangers


async def _gateway(objects: Objects, namespace: str) -> tuple[Manifest | None, list[Manifest]]:
    selector = f"{labels.COMPONENT}={Component.GATEWAY},{labels.MANAGED_BY}=remoe-operator"
    return await asyncio.gather(
        objects.get(DEPLOYMENT, namespace, names.GATEWAY),
        objects.list(POD, namespace, labels=selector),
    )


class _References(NamedTuple):
    """What the spec names beside children."""

    token_version: str
    missing_references: Mapping[str, str]
    profile: str | None


async def _references(objects: Objects, service: Service) -> _References:
    spec, missing = service.spec, dict[str, str]()
    version, profile = "", None
    if wanted := spec.model.token_secret:
        secret = await objects.get(SECRET, service.namespace, wanted.name)
        if secret is None or wanted.key not in (secret.get("data") or {}):
            missing["model.tokenSecret"] = (
                f"Secret {wanted.name} with key {wanted.key} is not in namespace "
                f"{service.namespace} (spec.model.tokenSecret)"
            )
        else:
            version = str(secret["metadata"]["resourceVersion"])
    keys = spec.auth.keys_secret
    if keys and await objects.get(SECRET, service.namespace, keys) is None:
        missing["auth.keysSecret"] = (
            f"Secret {keys} is not in namespace {service.namespace} (spec.auth.keysSecret)"
        )
    if wanted_profile := spec.profile:
        config = await objects.get(CONFIG_MAP, service.namespace, wanted_profile.name)
        profile = ((config or {}).get("data") or {}).get(wanted_profile.key)
        if profile is None:
            missing["profile"] = (
                f"ConfigMap {wanted_profile.name} with key {wanted_profile.key} is not in "
                f"namespace {service.namespace} (spec.profile)"
            )
    return _References(token_version=version, missing_references=missing, profile=profile)


def _unwell(children: Grouped, pods: Iterable[Manifest], now: datetime) -> list[Manifest]:
    """Children about which events may say more than they do themselves."""
    claims = (c for c in children[CLAIM].values() if _phase(c) != "Bound")
    starters = {label(pod, "job-name") for pod in pods}
    jobs = (
        job
        for name, job in children[JOB].items()
        if name not in starters and not (job.get("status") or {}).get("conditions")
    )
    waiting = (
        pod
        for pod in pods
        if _phase(pod) == "Pending"
        and (seconds_since(pod["metadata"].get("creationTimestamp"), now) or 0) > _SETTLING_SECONDS
    )
    return [*claims, *jobs, *waiting]


def _phase(manifest: Manifest) -> str:
    return str((manifest.get("status") or {}).get("phase", ""))


async def _events(
    objects: Objects, namespace: str, unwell: list[Manifest]
) -> dict[str, tuple[Manifest, ...]]:
    uids = [str(manifest["metadata"]["uid"]) for manifest in unwell[:20]]
    lists = await asyncio.gather(
        *(objects.list(EVENT, namespace, fields=f"involvedObject.uid={uid}") for uid in uids)
    )
    return {
        uid: tuple(sorted(events, key=_last_seen)) for uid, events in zip(uids, lists, strict=True)
    }


def _last_seen(event: Manifest) -> str:
    series = (event.get("series") or {}).get("lastObservedTime")
    return str(series or event.get("lastTimestamp") or event.get("eventTime") or "")


async def services_of(objects: Objects, namespace: str) -> list[Manifest]:
    """The services of a namespace that stay."""
    found = await objects.list(MOE_SERVICE, namespace)
    return [item for item in found if not item["metadata"].get("deletionTimestamp")]
