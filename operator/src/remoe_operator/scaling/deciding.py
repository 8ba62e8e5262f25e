"""How many replicas a part is to have: a function from what is known to a number, or to none.

None, for "leave it", is the answer to everything uncertain. A part is never scaled from zero here,
and never down while a replica loads, works or does not answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from remoe_operator.scaling.activity import Activity


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a part may be scaled within.

    Attributes:
        least: replicas kept when idle.
        most: replicas at most.
        per_replica: requests, or calls, that one replica works at together.
        idle_seconds: how long a replica has to be idle before it goes.
        steady_seconds: how long a load has to last before replicas are added for it.
    """

    least: int
    most: int
    per_replica: int
    idle_seconds: float
    steady_seconds: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most or self.most < 1:
            raise ValueError(f"replicas must satisfy 0 <= least <= most, got {self}")
        if self.per_replica < 1 or not self.idle_seconds >= 0:
            raise ValueError(f"per_replica must be >= 1 and idle_seconds >= 0, got {self}")

    def needed(self, load: int) -> int:
        """Replicas that a load keeps busy, within the most."""
        return min(math.ceil(load / self.per_replica), self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The load of all replicas at one moment."""

    seconds: float
    load: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartLoad:
    """A part at one moment.

    Attributes:
        replicas: asked for.
        pods: what each of its pods says; None for one that does not answer. Pods on their way
            out are left out.
        window: loads of the last while, oldest first, this moment's included.
    """

    replicas: int
    pods: tuple[Activity | None, ...]
    window: tuple[Sample, ...] = ()

    @property
    def known_load(self) -> int:
        """The load that is known of: at least this much there is."""
        return sum(pod.load for pod in self.pods if pod is not None)

    @property
    def is_settled(self) -> bool:
        """Whether all replicas are there, ready, and answer."""
        return len(self.pods) == self.replicas and all(
            pod is not None and pod.ready for pod in self.pods
        )


def decide(part: PartLoad, limits: Limits) -> int | None:
    """How many replicas there ought to be; None to leave them.

    Args:
        part: as it is.
        limits: what it is scaled within.
    """
    if part.replicas < limits.least:
        return limits.least
    if part.replicas == 0:
        return None
    needed = limits.needed(_steady_load(part, limits))
    if needed > part.replicas:
        return needed
    return _fewer(part, limits)


def _steady_load(part: PartLoad, limits: Limits) -> int:
    """The least load of the last while; none where it is not known for as long."""
    if limits.steady_seconds == 0:
        return part.known_load
    return min((sample.load for sample in _last(part.window, limits.steady_seconds)), default=0)


def _last(window: Sequence[Sample], seconds: float) -> Sequence[Sample]:
    """The samples that tell of so many seconds up to now; none where they do not reach back."""
    since = window[-1].seconds - seconds if window else 0.0
    before = [number for number, sample in enumerate(window) if sample.seconds <= since]
    return window[before[-1] :] if before else ()


def _fewer(part: PartLoad, limits: Limits) -> int | None:
    if part.replicas <= limits.least or not part.is_settled:
        return None
    if all(pod is not None and _is_idle(pod, limits) for pod in part.pods):
        return limits.least
    spare = part.replicas - max(_peak(part.window, limits), limits.least, 1)
    too_many = part.replicas - limits.most
    unused = sum(pod is not None and not pod.is_busy for pod in part.pods)
    fewer = min(max(spare, too_many), unused)
    return part.replicas - fewer if fewer > 0 else None


def _is_idle(pod: Activity, limits: Limits) -> bool:
    return not pod.is_busy and pod.idle_seconds >= limits.idle_seconds


def _peak(window: Sequence[Sample], limits: Limits) -> int:
    """Replicas that the busiest moment of the last while took; the most where it is not known."""
    known = _last(window, limits.idle_seconds)
    return max((limits.needed(sample.load) for sample in known), default=limits.most)
