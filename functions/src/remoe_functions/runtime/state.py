"""What a runtime knows of the parts it runs, as values.

Snapshots are levels, not events: one snapshot is enough to act on, and a missed one costs
nothing. How parts are started belongs to the runtimes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class PartKind(StrEnum):
    """The three kinds of part a service is made of."""

    GATEWAY = "gateway"
    MAIN = "main"
    FUNCTION = "function"


class ReplicaState(StrEnum):
    """Where a replica is in its life."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One running copy of a part.

    Attributes:
        id: unique among all replicas this runtime ever started, for example `layer-3-2`.
        state: only READY replicas take work.
        host: where it listens; None until it is ready.
        port: where it listens; None until it is ready.
        phases: seconds each start-up phase took, in order.
        memory_bytes: resident memory at the last look.
    """

    id: str
    state: ReplicaState
    host: str | None = None
    port: int | None = None
    phases: Mapping[str, float] = field(default_factory=dict)
    memory_bytes: int = 0

    @property
    def ready(self) -> bool:
        return self.state is ReplicaState.READY

    @property
    def startup_seconds(self) -> float:
        """Seconds from the start of the process to the end of its last known phase."""
        return sum(self.phases.values())

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Replica:
        return cls(**{**body, "state": ReplicaState(body["state"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class PartStatus:
    """One part: what is wanted of it and what there is.

    Attributes:
        name: unique within the runtime.
        kind: gateway, main or function.
        desired: replicas wanted now.
        replicas: replicas there are, oldest first; one that failed stays until its successor.
        wakes: times the part was called from zero replicas.
        restarts: replicas started in place of one that failed.
        awake_seconds: replica-seconds since the runtime began, idle ones included.
        last_failure: why the last failed replica failed, in words.
    """

    name: str
    kind: PartKind
    desired: int
    replicas: tuple[Replica, ...] = ()
    wakes: int = 0
    restarts: int = 0
    awake_seconds: float = 0.0
    last_failure: str | None = None

    @property
    def ready(self) -> tuple[Replica, ...]:
        """The replicas that take work."""
        return tuple(replica for replica in self.replicas if replica.ready)

    @property
    def awake(self) -> bool:
        return bool(self.ready)

    @property
    def memory_bytes(self) -> int:
        """Resident memory of all its replicas."""
        return sum(replica.memory_bytes for replica in self.replicas)

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> PartStatus:
        replicas = tuple(map(Replica.from_dict, body["replicas"]))
        return cls(**{**body, "kind": PartKind(body["kind"]), "replicas": replicas})


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Every part at one moment.

    Attributes:
        version: grows with every change within one life of the runtime; compare for equality
            only, since a restarted runtime counts from the beginning.
        parts: by name.
    """

    version: int
    parts: Mapping[str, PartStatus]

    def of_kind(self, kind: PartKind) -> tuple[PartStatus, ...]:
        return tuple(part for part in self.parts.values() if part.kind is kind)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON-able values; `from_dict` reads it back to an equal snapshot."""
        parts = {name: asdict(part) for name, part in self.parts.items()}
        return {"version": self.version, "parts": parts}

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Snapshot:
        """Read a snapshot.

        Raises:
            ValueError: not a snapshot.
        """
        try:
            parts = {n: PartStatus.from_dict(part) for n, part in body["parts"].items()}
            return cls(version=int(body["version"]), parts=parts)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a snapshot: {error!r}") from error
