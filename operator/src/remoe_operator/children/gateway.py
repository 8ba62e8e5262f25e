"""The gateway of a namespace: one Deployment for all its services, and what it needs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256

from remoe_operator.children import names, ports
from remoe_operator.children.accounts import RULES, bound, with_token
from remoe_operator.children.affinity import apart
from remoe_operator.children.deployment import rolling
from remoe_operator.children.disruption import budget
from remoe_operator.children.gateway_config import (
    CONFIG_FILE,
    CONFIG_FOLDER,
    STATE_FOLDER,
    gateway_config,
)
from remoe_operator.children.gateway_storage import mounts, volumes
from remoe_operator.children.labels import COMPONENT, NAME, Component, of_gateway
from remoe_operator.children.manifest import Manifest, head, owner
from remoe_operator.children.network import gateway_fence
from remoe_operator.children.pod import Pod, config_volume, read_only, variable
from remoe_operator.children.probes import probes
from remoe_operator.children.scraping import scraped
from remoe_operator.children.service import ServedService
from remoe_operator.resource.quantity import bytes_of, memory
from remoe_operator.settings import ImageKey, Settings
from remoe_planner.memory import MIB

CONFIG_MARK = "remoe.dev/config"
_GRACE_SECONDS = 15
_PATIENCE_SECONDS = 600
# What a further model takes at most: its forecaster's tables, and as much again while it is fitted.
_PER_MODEL_BYTES = 512 * MIB
_PODS = {NAME: "remoe", COMPONENT: Component.GATEWAY.value}


def gateway(
    served: Sequence[ServedService], settings: Settings, namespace: str
) -> tuple[Manifest, ...]:
    """Everything named `remoe-gateway`, in the order to apply it; nothing where nothing is served.

    Args:
        served: the namespace's services whose model is fetched and planned, in any order.
        settings: the operator's.
        namespace: whose gateway.
    """
    if not served:
        return ()
    ordered = sorted(served, key=lambda one: one.service.name)
    return _Gateway(ordered, settings, namespace).objects()


def gateway_url(namespace: str, settings: Settings) -> str:
    """Base address for OpenAI clients, ending in /v1."""
    given = settings.gateway.url
    if given is None:
        return f"http://{names.GATEWAY}.{namespace}.svc.{settings.cluster_domain}/v1"
    return f"{given.replace('{namespace}', namespace).removesuffix('/').removesuffix('/v1')}/v1"


class _Gateway:
    """One namespace's gateway in the making."""

    def __init__(self, served: Sequence[ServedService], settings: Settings, namespace: str) -> None:
        self._served, self._settings, self._namespace = served, settings, namespace
        self._owners = [owner(one.service, controller=False) for one in served]
        config = gateway_config(served, settings, namespace)
        self._config = json.dumps(config, indent=2, sort_keys=True)

    def objects(self) -> tuple[Manifest, ...]:
        name, replicas = names.GATEWAY, self._settings.gateway.replicas
        return (
            with_token(self._head("ServiceAccount"), given=True),
            self._head("Role") | {"rules": [dict(rule) for rule in RULES]},
            self._head("RoleBinding") | bound(name, self._namespace),
            *gateway_fence(self._namespace, self._settings, self._owners),
            self._head("ConfigMap") | {"data": {CONFIG_FILE: self._config}},
            self._service(),
            self._head("PodDisruptionBudget") | budget(_PODS, replicas=replicas),
            self._head("Deployment")
            | rolling(
                replicas=replicas,
                pods=_PODS,
                template=self._template(),
                patience_seconds=_PATIENCE_SECONDS,
            ),
        )

    def _head(self, kind: str) -> Manifest:
        return head(kind, names.GATEWAY, self._namespace, labels=of_gateway(), owners=self._owners)

    def _service(self) -> Manifest:
        settings = self._settings.gateway.service
        made = self._head("Service")
        if settings.annotations:
            made["metadata"]["annotations"] = dict(settings.annotations)
        http = {"name": ports.HTTP_NAME, "port": 80, "targetPort": ports.HTTP_NAME}
        made["spec"] = {
            "type": settings.type,
            "selector": dict(_PODS),
            "ports": [http | {"protocol": "TCP"}],
        }
        return made

    def _template(self) -> Manifest:
        """A change of the config changes its mark, which rolls the pods: files are not reread."""
        mark = sha256(self._config.encode()).hexdigest()[:16]
        return {
            "metadata": {
                "labels": of_gateway(),
                "annotations": {CONFIG_MARK: mark} | scraped(ports.API),
            },
            "spec": self._pod().spec(self._settings),
        }

    def _pod(self) -> Pod:
        settings = self._settings.gateway
        told = settings.drain_seconds + settings.lame_duck_seconds
        return Pod(
            container="gateway",
            image=self._settings.image(ImageKey.GATEWAY),
            args=("--config", f"{CONFIG_FOLDER}/{CONFIG_FILE}"),
            account=names.GATEWAY,
            api_token=True,
            # Its fits must not take the cores that models compute on.
            env=(variable("OMP_NUM_THREADS", "1"),),
            ports={ports.HTTP_NAME: ports.API},
            mounts=(
                read_only("config", CONFIG_FOLDER),
                {"name": "state", "mountPath": STATE_FOLDER},
                *(mount for one in self._served for mount in mounts(one)),
            ),
            volumes=(
                config_volume("config", names.GATEWAY, [(CONFIG_FILE, CONFIG_FILE)]),
                {"name": "state", "emptyDir": {}},
                *(volume for one in self._served for volume in volumes(one)),
            ),
            resources=self._resources(),
            probes=probes(ports.HTTP_NAME),
            grace_seconds=round(told) + _GRACE_SECONDS,
            affinity=apart(_PODS),
        )

    def _resources(self) -> dict[str, dict[str, str]]:
        """As set for one model; further ones add to the limit."""
        given = self._settings.gateway.resources
        requests, limits = dict(given.requests), dict(given.limits)
        if "memory" in limits:
            more = (len(self._served) - 1) * _PER_MODEL_BYTES
            limits["memory"] = memory(bytes_of(limits["memory"]) + more)
        return {"requests": requests, "limits": limits}
