"""What each part is doing: gateway, main model and functions, in one form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remoe_operator.children import labels, names
from remoe_operator.children.labels import Component
from remoe_operator.cluster.kinds import Manifest
from remoe_operator.reconcile.observed import (
    Observed,
    desired_replicas,
    is_ready,
    label,
    ready_replicas,
)
from remoe_operator.reconcile.troubles import Trouble, of_part
from remoe_operator.resource.status import PartState, ScalingEvent

MOST_EVENTS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One Deployment and how it fares.

    Attributes:
        name: of the Deployment.
        part: `main`, a function's name in its plan, or `gateway`.
        component: what kind of part.
        plan: digest of the plan that a function belongs to; empty for others.
        desired: replicas somebody asked for.
        ready: replicas that answer.
        trouble: what is wrong.
    """

    name: str
    part: str
    component: Component
    plan: str = ""
    desired: int = 0
    ready: int = 0
    trouble: Trouble | None = None

    @property
    def state(self) -> PartState:
        """The same for status."""
        told = self.trouble and f"{self.trouble.reason}: {self.trouble.message}"
        return PartState(
            name=self.name,
            kind=self.component.value,
            desired=self.desired,
            ready=self.ready,
            trouble=told,
        )


def parts_of(observed: Observed) -> tuple[Part, ...]:
    """The parts that are there, gateway first, then the main model, then functions."""
    made = [_gateway(observed, observed.gateway)] if observed.gateway else []
    for component in (Component.MAIN, Component.FUNCTION):
        found = sorted(observed.deployments(component), key=lambda d: str(d["metadata"]["name"]))
        made += [_part(observed, deployment, component) for deployment in found]
    return tuple(made)


def _part(observed: Observed, deployment: Manifest, component: Component) -> Part:
    desired = desired_replicas(deployment)
    pods = observed.pods_of(deployment) if desired else ()
    return Part(
        name=deployment["metadata"]["name"],
        part=label(deployment, labels.PART) or component.value,
        component=component,
        plan=label(deployment, labels.PLAN) if component is Component.FUNCTION else "",
        desired=desired,
        ready=sum(map(is_ready, pods)),
        trouble=of_part(deployment, pods, observed.events) if desired else None,
    )


def _gateway(observed: Observed, deployment: Manifest) -> Part:
    return Part(
        name=names.GATEWAY,
        part=Component.GATEWAY.value,
        component=Component.GATEWAY,
        desired=desired_replicas(deployment),
        ready=ready_replicas(deployment),
        trouble=of_part(deployment, observed.gateway_pods, observed.events),
    )


def scaling_history(
    before: Mapping[str, int],
    parts: tuple[Part, ...],
    history: tuple[ScalingEvent, ...],
    moment: str,
) -> tuple[ScalingEvent, ...]:
    """The history with what changed since, whoever changed it; the newest last.

    Args:
        before: replicas by the part's name, as status said.
        parts: as they are.
        history: as status said.
        moment: now, as written.
    """
    new = tuple(
        ScalingEvent(time=moment, part=part.name, before=before[part.name], after=part.desired)
        for part in parts
        if part.name in before and before[part.name] != part.desired
    )
    return (*history, *new)[-MOST_EVENTS:]
