"""The kinds of objects that the operator reads and writes, and where their addresses are.

A fixed table rather than discovery: the kinds are known, and discovery would cost a start-up's
time and a file of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from remoe_operator.resource.definition import GROUP, PLURAL, VERSION
from remoe_operator.resource.definition import KIND as SERVICE_KIND

Manifest = dict[str, Any]
"""An object of the API server, as JSON has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of object.

    Attributes:
        group: API group; empty for the core.
        version: API version.
        name: such as `Deployment`.
        plural: such as `deployments`, as in addresses and rights.
    """

    group: str
    version: str
    name: str
    plural: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None, name: str | None = None, subresource: str = "") -> str:
        """The address of an object, or of all of them; of all namespaces where none is given."""
        parts = ["/apis" if self.group else "/api", self.api_version]
        parts += ["namespaces", namespace] if namespace else []
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


def _core(name: str, plural: str) -> Kind:
    return Kind(group="", version="v1", name=name, plural=plural)


def _rights(name: str, plural: str) -> Kind:
    return Kind(group="rbac.authorization.k8s.io", version="v1", name=name, plural=plural)


MOE_SERVICE = Kind(group=GROUP, version=VERSION, name=SERVICE_KIND, plural=PLURAL)
DEPLOYMENT = Kind(group="apps", version="v1", name="Deployment", plural="deployments")
JOB = Kind(group="batch", version="v1", name="Job", plural="jobs")
DISRUPTION_BUDGET = Kind(
    group="policy", version="v1", name="PodDisruptionBudget", plural="poddisruptionbudgets"
)
NETWORK_POLICY = Kind(
    group="networking.k8s.io", version="v1", name="NetworkPolicy", plural="networkpolicies"
)
POD = _core("Pod", "pods")
SERVICE = _core("Service", "services")
CONFIG_MAP = _core("ConfigMap", "configmaps")
SECRET = _core("Secret", "secrets")
CLAIM = _core("PersistentVolumeClaim", "persistentvolumeclaims")
SERVICE_ACCOUNT = _core("ServiceAccount", "serviceaccounts")
EVENT = _core("Event", "events")
ROLE = _rights("Role", "roles")
ROLE_BINDING = _rights("RoleBinding", "rolebindings")

CHILDREN: tuple[Kind, ...] = (
    SERVICE_ACCOUNT,
    ROLE,
    ROLE_BINDING,
    NETWORK_POLICY,
    SECRET,
    CONFIG_MAP,
    CLAIM,
    SERVICE,
    JOB,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
)
"""What the operator makes, in the order in which it is applied; pods are made by others."""

LISTED: tuple[Kind, ...] = tuple(kind for kind in CHILDREN if kind is not SECRET)
"""What it lists: the right to list Secrets would be the right to read everybody's."""

_BY_NAME: Mapping[tuple[str, str], Kind] = {
    (kind.api_version, kind.name): kind for kind in (*CHILDREN, MOE_SERVICE, POD, EVENT)
}


def kind_of(manifest: Manifest) -> Kind:
    """The kind of an object.

    Raises:
        ValueError: the operator knows no such kind.
    """
    key = (str(manifest.get("apiVersion")), str(manifest.get("kind")))
    if key not in _BY_NAME:
        raise ValueError(f"the operator handles no {key[1]} of {key[0]}")
    return _BY_NAME[key]
