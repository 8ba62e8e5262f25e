"""The head that every child has: kind, name, labels and who owns it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from remoe_operator.children.labels import Component, of_service
from remoe_operator.resource.definition import GROUP, KIND, VERSION

if TYPE_CHECKING:
    from remoe_operator.children.service import Service

Manifest: TypeAlias = dict[str, Any]
"""An object as the API server takes it, in JSON's types."""

_API_VERSIONS = {
    "ConfigMap": "v1",
    "Deployment": "apps/v1",
    "Job": "batch/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PersistentVolumeClaim": "v1",
    "PodDisruptionBudget": "policy/v1",
    "Role": "rbac.authorization.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
    "Service": "v1",
    "ServiceAccount": "v1",
}


def owned(
    service: Service,
    kind: str,
    name: str,
    component: Component,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """The head of a child that belongs to one service and goes with it."""
    made = head(
        kind,
        name,
        service.namespace,
        labels=of_service(service.name, component) | dict(labels or {}),
        owners=[owner(service, controller=True)],
    )
    if annotations:
        made["metadata"]["annotations"] = dict(annotations)
    return made


def head(
    kind: str,
    name: str,
    namespace: str,
    *,
    labels: Mapping[str, str],
    owners: Sequence[Manifest],
) -> Manifest:
    """The head of any child."""
    return {
        "apiVersion": _API_VERSIONS[kind],
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": dict(labels),
            "ownerReferences": list(owners),
        },
    }


def owner(service: Service, *, controller: bool) -> Manifest:
    """A reference to a service.

    `blockOwnerDeletion` is left out: it takes rights on finalizers, and children may go later.
    """
    reference = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "name": service.name,
        "uid": service.uid,
    }
    return reference | ({"controller": True} if controller else {})
