"""One pass over the gateway of a namespace: it serves all services that have a model and a plan."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from remoe_operator.children import labels, names
from remoe_operator.children.facts_config import facts_of
from remoe_operator.children.gateway import gateway
from remoe_operator.children.labels import Component
from remoe_operator.children.plan_config import plan_of
from remoe_operator.children.service import ServedService, Service
from remoe_operator.cluster.errors import ClusterError
from remoe_operator.cluster.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    LISTED,
    SECRET,
    Kind,
    Manifest,
    kind_of,
)
from remoe_operator.cluster.objects import Objects, controller
from remoe_operator.reconcile.observed import plan_of_template
from remoe_operator.reconcile.observing import InvalidSpecError, service_of, services_of
from remoe_operator.settings import Settings

_OURS = f"{labels.MANAGED_BY}=remoe-operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a namespace holds that its gateway depends on.

    Attributes:
        configs: our ConfigMaps, by name.
        deployments: our Deployments, by name.
        secrets: names of the Secrets with API keys that are there.
    """

    configs: Mapping[str, Manifest]
    deployments: Mapping[str, Manifest]
    secrets: frozenset[str]


class Gateways:
    """Brings the gateways of namespaces to what their services ask.

    Args:
        objects: the cluster's.
        settings: the operator's.
        errors: told here, by namespace, for the services' status.
    """

    def __init__(
        self, objects: Objects, settings: Settings, errors: dict[str, ClusterError]
    ) -> None:
        self._objects, self._settings, self._errors = objects, settings, errors

    async def reconcile(self, namespace: str) -> bool:
        """One pass; says whether the services have anything new to tell.

        Raises:
            ClusterError: see `Objects`; what lasts is told to the services and not raised.
        """
        services = list(_readable(await services_of(self._objects, namespace)))
        served = served_services(services, await self._standing(namespace, services))
        if served is None:
            return False
        wanted = gateway(served, self._settings, namespace)
        there = await self._there(namespace)
        before = self._errors.pop(namespace, None)
        try:
            wrote = await self._converge(wanted, there)
        except ClusterError as error:
            self._errors[namespace] = error
            if error.lasting:
                return str(error) != str(before)
            raise
        return wrote or before is not None

    async def _converge(
        self, wanted: Sequence[Manifest], there: Mapping[tuple[Kind, str], Manifest]
    ) -> bool:
        wrote = False
        keys = [(kind_of(manifest), manifest["metadata"]["name"]) for manifest in wanted]
        for key, manifest in zip(keys, wanted, strict=True):
            live = there.get(key)
            wrote |= await self._objects.converge(manifest, live, scaled_by_others=False)
        for key, live in there.items():
            if key not in keys and not live["metadata"].get("deletionTimestamp"):
                await self._objects.delete(live)
                wrote = True
        return wrote

    async def _there(self, namespace: str) -> dict[tuple[Kind, str], Manifest]:
        selector = f"{_OURS},{labels.COMPONENT}={Component.GATEWAY}"
        lists = await asyncio.gather(
            *(self._objects.list(kind, namespace, labels=selector) for kind in LISTED)
        )
        return {
            (kind, item["metadata"]["name"]): item
            for kind, items in zip(LISTED, lists, strict=True)
            for item in items
            if item["metadata"].get("ownerReferences")
        }

    async def _standing(self, namespace: str, services: Iterable[Service]) -> Standing:
        wanted = sorted({s.spec.auth.keys_secret for s in services if s.spec.auth.keys_secret})
        configs, deployments, secrets = await asyncio.gather(
            self._objects.list(CONFIG_MAP, namespace, labels=_OURS),
            self._objects.list(DEPLOYMENT, namespace, labels=_OURS),
            asyncio.gather(*(self._objects.get(SECRET, namespace, name) for name in wanted)),
        )
        there = (name for name, secret in zip(wanted, secrets, strict=True) if secret)
        return Standing(
            configs={c["metadata"]["name"]: c for c in configs},
            deployments={d["metadata"]["name"]: d for d in deployments},
            secrets=frozenset(there),
        )


def _readable(resources: Iterable[Manifest]) -> Iterator[Service]:
    for resource in resources:
        try:
            yield service_of(resource)
        except InvalidSpecError:
            continue  # its own condition says so


def served_services(
    services: Iterable[Service], standing: Standing
) -> tuple[ServedService, ...] | None:
    """The services to put behind the gateway.

    Returns:
        None where one of them has a main model and yet its facts or its plan are not to be read
        just now: the gateway had better stay as it is.
    """
    served: list[ServedService] = []
    for service in services:
        keys = service.spec.auth.keys_secret
        main = standing.deployments.get(names.main(service.name))
        if main is None or controller(main) != service.uid:
            continue
        if keys is not None and keys not in standing.secrets:
            continue  # better not served than served openly
        plan = standing.configs.get(names.plan(service.name, plan_of_template(main)))
        facts = standing.configs.get(names.facts(service.name))
        if plan is None or facts is None:
            return None
        try:
            served.append(ServedService(service=service, facts=facts_of(facts), plan=plan_of(plan)))
        except ValueError:
            return None
    return tuple(served)
