"""A MoEService as people look at it: its conditions, plans, parts and latest changes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

READY = "Ready"
_SINGLE = ("main", "gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One statement of the operator's.

    Attributes:
        kind: what is stated, such as Ready.
        status: True, False or Unknown.
        reason: why, in one word.
        message: why, in a sentence.
    """

    kind: str
    status: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One Deployment of a service.

    Attributes:
        name: what people and plans call it: main, gateway, or a function's name.
        plan: digest of the plan that a function belongs to; None for others.
        kind: main, gateway or function.
        desired: replicas wanted.
        ready: replicas that answer.
        trouble: what is wrong; None where nothing is.
    """

    name: str
    plan: str | None
    kind: str
    desired: int
    ready: int
    trouble: str | None

    @classmethod
    def read(cls, state: Mapping[str, Any], service: str) -> Part:
        """From a status, where parts have the names of their Deployments."""
        kind, name = str(state["kind"]), str(state["name"])
        function = re.fullmatch(rf"{re.escape(service)}-([0-9a-f]{{8}})-(.+)", name)
        return cls(
            name=function[2] if function else kind if kind in _SINGLE else name,
            plan=function[1] if function else None,
            kind=kind,
            desired=state["desired"],
            ready=state["ready"],
            trouble=state.get("trouble"),
        )


@dataclass(frozen=True, slots=True)
class ServiceView:
    """Answers what the status of a MoEService says, however much of it there is yet."""

    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.manifest["metadata"]["namespace"])

    @property
    def arguments(self) -> str:
        """What names it on a command line."""
        return f"{self.name} -n {self.namespace}"

    @property
    def created(self) -> str:
        """When, as the API writes it."""
        return str(self.manifest["metadata"]["creationTimestamp"])

    @property
    def status(self) -> Mapping[str, Any]:
        """What the operator wrote; empty before it has."""
        found: Mapping[str, Any] = self.manifest.get("status") or {}
        return found

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Ready first."""
        found = (
            Condition(
                kind=each["type"],
                status=each["status"],
                reason=each.get("reason", ""),
                message=each.get("message", ""),
            )
            for each in self.status.get("conditions") or ()
        )
        return tuple(sorted(found, key=lambda condition: condition.kind != READY))

    @property
    def ready(self) -> Condition:
        """The sum of all conditions; says so where nobody has looked at the service yet."""
        first = self.conditions[:1]
        if first and first[0].kind == READY:
            return first[0]
        return Condition(
            kind=READY,
            status="Unknown",
            reason="NotSeenYet",
            message="the operator has not looked at it yet; is it running?",
        )

    @property
    def is_stale(self) -> bool:
        """Whether the spec was changed after the operator looked at it last."""
        seen = self.status.get("observedGeneration")
        return seen is not None and seen != self.manifest["metadata"].get("generation", seen)

    @property
    def uri(self) -> str:
        return str(self.manifest["spec"]["model"]["uri"])

    @property
    def model(self) -> str:
        """What clients put in `model`."""
        given = self.manifest["spec"]["model"].get("servedName")
        return str(self.status.get("model") or given or self.name)

    @property
    def url(self) -> str | None:
        found = self.status.get("url")
        return None if found is None else str(found)

    @property
    def cost(self) -> str | None:
        """Cost of what is awake now, for an hour."""
        found = self.status.get("measuredCostPerHour")
        return None if found is None else str(found)

    @property
    def plan(self) -> Mapping[str, Any] | None:
        """The plan in force."""
        return self.status.get("plan")

    @property
    def proposed(self) -> Mapping[str, Any] | None:
        """The plan that waits for approval."""
        return self.status.get("proposedPlan")

    @property
    def fetch(self) -> Mapping[str, Any] | None:
        """How far the weights have come."""
        return self.status.get("fetch")

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(Part.read(state, self.name) for state in self.status.get("parts") or ())

    @property
    def scaling(self) -> Sequence[Mapping[str, Any]]:
        """Changes of replicas, oldest first."""
        return sorted(self.status.get("scaling") or (), key=lambda change: str(change["time"]))
