"""A pod as one replica of a part: how far it is, how long that took, what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation

from remoe_functions.runtime.kubernetes.api import Object
from remoe_functions.runtime.kubernetes.labels import Service, labels_of
from remoe_functions.runtime.kubernetes.words import containers_of, failure_of

HTTP_PORT = "http"
SCHEDULE = "schedule"
_UNITS = {
    **{unit: 1000**power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{
        unit: 1024**power
        for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)
    },
    "m": Decimal("0.001"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod of a part.

    Attributes:
        name: its name.
        part: the part it is a replica of.
        created_at: when it was made, in ISO format; orders replicas.
        placed: whether a node has it, so that its memory is taken.
        leaving: whether it was told to end.
        over: whether it ended for good.
        restarts: containers started anew in it.
        memory_bytes: what it requests, and is billed for.
        http_port: where it tells of itself; None where it does not.
        waits: seconds of each phase before its process, in order; whole seconds, as told.
        up_seconds: from the start of its containers until it was called ready; None until then.
        failure: what went wrong with it, in words.
    """

    name: str
    part: str
    created_at: str
    placed: bool = False
    leaving: bool = False
    over: bool = False
    restarts: int = 0
    memory_bytes: int = 0
    http_port: int | None = None
    waits: Mapping[str, float] = field(default_factory=dict)
    up_seconds: float | None = None
    failure: str | None = None

    @classmethod
    def read(cls, service: Service, item: Object) -> Pod | None:
        """The value of a pod; None where it is no replica of one of the service's parts."""
        part = service.part_of(labels_of(item))
        if part is None:
            return None
        metadata, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
        times = _Times.read(metadata, status)
        return cls(
            name=metadata["name"],
            part=part,
            created_at=str(metadata.get("creationTimestamp", "")),
            placed=bool(spec.get("nodeName")),
            leaving="deletionTimestamp" in metadata,
            over=status.get("phase") in ("Failed", "Succeeded"),
            restarts=sum(int(c.get("restartCount", 0)) for c in containers_of(status)),
            memory_bytes=_memory(spec),
            http_port=_port(spec, HTTP_PORT),
            waits=times.waits,
            up_seconds=times.up_seconds,
            failure=failure_of(item),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Times:
    """When a pod passed each station, as the cluster noted it; None where it has not."""

    created: datetime | None
    scheduled: datetime | None
    networked: datetime | None
    running: datetime | None
    ready: datetime | None

    @classmethod
    def read(cls, metadata: Object, status: Object) -> _Times:
        conditions = {
            c.get("type"): _time(c.get("lastTransitionTime"))
            for c in status.get("conditions") or ()
            if c.get("status") == "True"
        }
        running = [
            _time(((c.get("state") or {}).get("running") or {}).get("startedAt"))
            for c in status.get("containerStatuses") or ()
        ]
        return cls(
            created=_time(metadata.get("creationTimestamp")),
            scheduled=conditions.get("PodScheduled"),
            networked=conditions.get("PodReadyToStartContainers"),
            running=max((at for at in running if at is not None), default=None),
            ready=conditions.get("Ready"),
        )

    @property
    def waits(self) -> dict[str, float]:
        """Schedule: until a node has it; sandbox: volumes and network; image: pull and start."""
        sandbox = self.networked or self.scheduled
        spans = {
            SCHEDULE: _between(self.created, self.scheduled),
            "sandbox": _between(self.scheduled, sandbox),
            "image": _between(sandbox, self.running),
        }
        return {name: seconds for name, seconds in spans.items() if seconds is not None}

    @property
    def up_seconds(self) -> float | None:
        return _between(self.running, self.ready)


def memory_bytes_of(quantity: str) -> int:
    """The bytes that a Kubernetes quantity (`512Mi`, `1.5G`, `1e9`) stands for; 0 for none."""
    text = quantity.strip()
    unit = next((u for u in sorted(_UNITS, key=len, reverse=True) if text.endswith(u)), "")
    try:
        return int(Decimal(text.removesuffix(unit)) * (_UNITS[unit] if unit else 1))
    except InvalidOperation:
        return 0


def _memory(spec: Object) -> int:
    requests = [
        ((c.get("resources") or {}).get("requests") or {}) for c in spec.get("containers") or ()
    ]
    return sum(memory_bytes_of(str(r["memory"])) for r in requests if "memory" in r)


def _port(spec: Object, name: str) -> int | None:
    ports = (p for c in spec.get("containers") or () for p in c.get("ports") or ())
    return next((int(p["containerPort"]) for p in ports if p.get("name") == name), None)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _between(since: datetime | None, until: datetime | None) -> float | None:
    if since is None or until is None:
        return None
    return max(0.0, (until - since).total_seconds())
