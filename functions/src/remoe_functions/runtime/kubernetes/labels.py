"""The names and labels by which the parts of a service are found in its namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from remoe_functions.runtime.state import PartKind

SERVICE = "remoe.dev/service"
PART = "remoe.dev/part"
PLAN = "remoe.dev/plan"
COMPONENT = "app.kubernetes.io/component"
MAIN = "main"
_KINDS = {"main": PartKind.MAIN, "function": PartKind.FUNCTION}


@dataclass(frozen=True, slots=True)
class Service:
    """One service under one plan.

    Attributes:
        name: of its MoEService.
        plan_digest: which plan's functions are meant; main is the same under every plan.
    """

    name: str
    plan_digest: str

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name must not be empty")

    @property
    def selector(self) -> str:
        """The label selector of everything that belongs to the service, of every plan."""
        return f"{SERVICE}={self.name}"

    def deployment(self, part: str) -> str:
        """The name of a part's Deployment."""
        return f"{self.name}-{part}" if part == MAIN else f"{self.name}-{self.plan_digest}-{part}"

    def part_of(self, labels: Mapping[str, str]) -> str | None:
        """Which of our parts an object with these labels belongs to; None where to none."""
        part, kind = labels.get(PART), _KINDS.get(labels.get(COMPONENT, ""))
        if not part or kind is None:
            return None
        # Main stays while plans come and go, and its Deployment wears no plan's label.
        return part if kind is PartKind.MAIN or labels.get(PLAN) == self.plan_digest else None


def labels_of(item: Mapping[str, Any]) -> Mapping[str, str]:
    """The labels of an object as the API server tells it."""
    return (item.get("metadata") or {}).get("labels") or {}


def kind_of(labels: Mapping[str, str]) -> PartKind:
    """The kind of part; a function where the labels do not tell."""
    return _KINDS.get(labels.get(COMPONENT, ""), PartKind.FUNCTION)
