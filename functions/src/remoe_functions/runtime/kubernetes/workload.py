"""A part's Deployment: how many replicas are wanted, and why none can be made."""

from __future__ import annotations

from dataclasses import dataclass

from remoe_functions.runtime.kubernetes.api import Object
from remoe_functions.runtime.kubernetes.labels import Service, kind_of, labels_of
from remoe_functions.runtime.kubernetes.words import one_line
from remoe_functions.runtime.state import PartKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What a Deployment says of its part.

    Attributes:
        part: the part's name.
        kind: main or function.
        desired: replicas wanted.
        version: the object's resourceVersion.
        trouble: why it cannot have its pods, in words; None where it can.
    """

    part: str
    kind: PartKind
    desired: int
    version: str
    trouble: str | None = None

    @classmethod
    def read(cls, service: Service, item: Object) -> Workload | None:
        """The workload of a Deployment; None where it is not one of the service's parts."""
        labels = labels_of(item)
        part = service.part_of(labels)
        if part is None:
            return None
        return cls(
            part=part,
            kind=kind_of(labels),
            desired=int((item.get("spec") or {}).get("replicas", 1)),
            version=str(item["metadata"]["resourceVersion"]),
            trouble=_trouble(item),
        )


def _trouble(item: Object) -> str | None:
    """A quota, or the namespace's rules, may keep pods from being made at all."""
    for condition in (item.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return f"no pod can be made: {one_line(str(condition.get('message', '')))}"
    return None
