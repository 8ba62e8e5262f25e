"""A start in phases, from what was seen of it, noted by the cluster and told by the process. Pure.

The cluster notes whole seconds; whoever watches sees more exactly when a pod was made, had a node
and took work; the process knows its own part exactly, and how long it has been ready.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remoe_functions.runtime.kubernetes.pod import SCHEDULE, Pod

# What lies between node and process where the cluster noted nothing: it took less than a second.
_SANDBOX = "sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One start as it was watched from its beginning.

    Attributes:
        schedule_seconds: until a node had the pod.
        total_seconds: until it took work.
    """

    schedule_seconds: float
    total_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the process said.

    Attributes:
        phases: seconds of each of its own phases, in order.
        late_seconds: how long it had been ready when it was called so; None where it did not tell.
    """

    phases: Mapping[str, float] = field(default_factory=dict)
    late_seconds: float | None = None


def start_phases(pod: Pod, seen: Seen | None, told: Told | None) -> dict[str, float]:
    """Seconds of each phase from a pod's making until it was called ready; so far, before that.

    Args:
        pod: as it was when it was first called ready.
        seen: None where its start was not watched from the beginning.
        told: None where the process is not heard of.
    """
    if pod.up_seconds is None:
        return dict(pod.waits)
    noted = {name: seconds for name, seconds in pod.waits.items() if name != SCHEDULE}
    seen = seen or Seen(
        schedule_seconds=pod.waits.get(SCHEDULE, 0.0),
        total_seconds=sum(pod.waits.values()) + pod.up_seconds,
    )
    own = {} if told is None else told.phases
    rest = max(0.0, seen.total_seconds - seen.schedule_seconds - sum(own.values()))
    before = sum(noted.values())
    if told is not None and told.late_seconds is not None:
        before = rest - told.late_seconds
    before = min(max(0.0, before), rest)
    # Between the process's own word and the cluster's lies the probe.
    last = {"process" if told is None else "probe": rest - before}
    return {SCHEDULE: seen.schedule_seconds, **_fitted(noted, before), **own, **last}


def _fitted(noted: Mapping[str, float], seconds: float) -> dict[str, float]:
    """Whole seconds as noted, in proportion to what they took together."""
    total = sum(noted.values())
    if total == 0:
        return {**noted, _SANDBOX: seconds}
    return {name: each * seconds / total for name, each in noted.items()}
