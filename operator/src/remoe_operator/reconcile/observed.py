"""A service and everything that belongs to it, as it was read in one go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from remoe_operator.children import labels
from remoe_operator.children.labels import Component
from remoe_operator.children.service import Service
from remoe_operator.cluster.kinds import DEPLOYMENT, Kind, Manifest


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What was there when it was looked at.

    Attributes:
        resource: the MoEService itself.
        service: the same, parsed.
        now: when it was looked at.
        children: objects that the service owns, by kind and name.
        strangers: objects with the service's label that another owns, such as those of an earlier
            service of this name; by kind and name.
        pods: of main model, functions and fetch Job.
        gateway: the namespace's gateway Deployment, where it is there.
        gateway_pods: its pods.
        events: events about children that are not well, by uid.
        token_version: resourceVersion of the Secret with the hub's token; empty without.
        missing_references: sentences about objects that the spec names and that are not there, by
            the spec's field.
        profile: text of the measured hardware profile, where the spec names one.
    """

    resource: Manifest
    service: Service
    now: datetime
    children: Mapping[Kind, Mapping[str, Manifest]] = field(default_factory=dict)
    strangers: Mapping[Kind, Mapping[str, Manifest]] = field(default_factory=dict)
    pods: tuple[Manifest, ...] = ()
    gateway: Manifest | None = None
    gateway_pods: tuple[Manifest, ...] = ()
    events: Mapping[str, tuple[Manifest, ...]] = field(default_factory=dict)
    token_version: str = ""
    missing_references: Mapping[str, str] = field(default_factory=dict)
    profile: str | None = None

    def child(self, kind: Kind, name: str) -> Manifest | None:
        """A child by its name."""
        return self.children.get(kind, {}).get(name)

    def live(self, kind: Kind, name: str) -> Manifest | None:
        """Whatever has the name, a child or a stranger."""
        return self.child(kind, name) or self.strangers.get(kind, {}).get(name)

    def all(self, kind: Kind) -> Iterable[Manifest]:
        """The children of a kind."""
        return self.children.get(kind, {}).values()

    def deployments(self, component: Component) -> tuple[Manifest, ...]:
        """The Deployments of main model or functions."""
        return tuple(d for d in self.all(DEPLOYMENT) if component_of(d) == component)

    @property
    def main(self) -> Manifest | None:
        """The main model's Deployment."""
        return next(iter(self.deployments(Component.MAIN)), None)

    def pods_of(self, deployment: Manifest) -> tuple[Manifest, ...]:
        """A Deployment's pods that are not on their way out."""
        wanted = deployment["spec"]["selector"]["matchLabels"]
        return tuple(pod for pod in self.pods if _carries(pod, wanted) and not is_ending(pod))


def _carries(pod: Manifest, wanted: Mapping[str, str]) -> bool:
    have = pod["metadata"].get("labels") or {}
    return all(have.get(label) == value for label, value in wanted.items())


def label(manifest: Manifest, name: str) -> str:
    """A label of an object; empty without."""
    return str((manifest["metadata"].get("labels") or {}).get(name, ""))


def component_of(manifest: Manifest) -> str:
    """Which kind of part an object belongs to."""
    return label(manifest, labels.COMPONENT)


def plan_of_template(deployment: Manifest) -> str:
    """The digest of the plan that a Deployment's pods run; empty where they name none."""
    meta = deployment["spec"]["template"].get("metadata") or {}
    return str((meta.get("labels") or {}).get(labels.PLAN, ""))


def is_ending(pod: Manifest) -> bool:
    """Whether a pod is on its way out, or over."""
    phase = (pod.get("status") or {}).get("phase")
    return bool(pod["metadata"].get("deletionTimestamp")) or phase in ("Succeeded", "Failed")


def is_ready(pod: Manifest) -> bool:
    """Whether a pod takes calls."""
    return not is_ending(pod) and any(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for condition in (pod.get("status") or {}).get("conditions") or ()
    )


def desired_replicas(deployment: Manifest) -> int:
    """How many replicas somebody asked for."""
    return int(deployment["spec"].get("replicas") or 0)


def ready_replicas(deployment: Manifest) -> int:
    """How many answer."""
    return int((deployment.get("status") or {}).get("readyReplicas") or 0)
