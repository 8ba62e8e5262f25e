"""What wakes the operator: Kopf watches services and their children, and each event is a knock.

Only `on.event` is used. Timers, daemons and change handlers would put a finalizer on the resource,
which would block its deletion, and its namespace's, while no operator runs; or annotations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kopf

from remoe_operator.children import labels
from remoe_operator.cluster.connection import configuration, server_of, trusted_by
from remoe_operator.cluster.kinds import (
    CLAIM,
    CONFIG_MAP,
    DEPLOYMENT,
    JOB,
    MOE_SERVICE,
    POD,
    Manifest,
)
from remoe_operator.settings import Settings

Knock = Callable[[str | None, Manifest], None]
"""Told the type of an event and its object."""

_CHILDREN = (DEPLOYMENT, POD, JOB, CLAIM, CONFIG_MAP)
_OURS = f"{labels.MANAGED_BY}=remoe-operator"
_PREFIX = "operator.remoe.dev"


def registry_of(
    knock: Knock, ending: Callable[[], None], login: Callable[..., Any] | None = None
) -> kopf.OperatorRegistry:
    """The handlers, in a registry of their own.

    Args:
        knock: what to do at each event.
        ending: what to do when the process is told to end; Kopf would wait for what others began.
        login: how to reach the API server; as the surroundings say where not given.
    """
    registry = kopf.OperatorRegistry()

    async def noticed(event: kopf.RawEvent, **_: Any) -> None:  # noqa: ANN401
        knock(event["type"], dict(event["object"]))

    for kind in (MOE_SERVICE, *_CHILDREN):
        kopf.on.event(
            group=kind.group,
            version=kind.version,
            plural=kind.plural,
            id=f"noticed-{kind.plural}",
            registry=registry,
        )(noticed)

    async def told_to_end(**_: Any) -> None:  # noqa: ANN401
        ending()

    kopf.on.cleanup(id="told-to-end", registry=registry)(told_to_end)
    kopf.on.login(id="login", registry=registry, retries=5)(login or logged_in)
    return registry


def kopf_settings() -> kopf.OperatorSettings:
    """How Kopf behaves: bounded in every wait, silent on the cluster."""
    made = kopf.OperatorSettings()
    made.watching.server_timeout, made.watching.client_timeout = 300, 310
    made.watching.connect_timeout = 10
    made.networking.request_timeout, made.networking.connect_timeout = 60, 10
    made.posting.enabled = False
    made.scanning.disabled = True
    made.process.ultimate_exiting_timeout = 20
    made.persistence.finalizer = f"{_PREFIX}/finalizer"
    made.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=_PREFIX, v1=False)
    made.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=_PREFIX, v1=False)
    selectors: Any = made.watching.label_selectors
    for kind in _CHILDREN:
        selectors[kind.group, kind.version, kind.plural] = _OURS
    return made


async def logged_in(**_: Any) -> kopf.ConnectionInfo:  # noqa: ANN401
    """Kopf's way to the API server is the operator's own."""
    found = await configuration()
    scheme, blank, token = str(found.api_key.get("BearerToken") or "").rpartition(" ")
    authority = trusted_by(found)
    return kopf.ConnectionInfo(
        server=server_of(found),
        ca_path=str(authority) if authority else None,
        insecure=not found.verify_ssl,
        scheme=scheme if blank else None,
        token=token or None,
        certificate_path=found.cert_file,
        private_key_path=found.key_file,
    )


async def watch(
    knock: Knock,
    settings: Settings,
    *,
    ending: Callable[[], None],
    login: Callable[..., Any] | None = None,
) -> None:
    """Watch until the process is told to end."""
    namespaces = list(settings.watch_namespaces)
    await kopf.operator(
        registry=registry_of(knock, ending, login),
        settings=kopf_settings(),
        standalone=True,
        clusterwide=not namespaces,
        namespaces=namespaces,
    )
