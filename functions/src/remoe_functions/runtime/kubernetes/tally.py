"""What is counted over time: wakes, restarts, seconds awake. Pure, with time as an argument.

Counted is what was seen: several gateways each count for themselves, from when they began.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from remoe_functions.runtime.kubernetes.pod import Pod
from remoe_functions.runtime.kubernetes.workload import Workload


@dataclass(slots=True, kw_only=True)
class Tally:
    """The counts of one part.

    Attributes:
        wakes: times it was called from zero replicas.
        restarts: containers started anew, and pods that ended for good.
        awake_seconds: replica-seconds during which memory was taken.
        last_failure: why the last replica failed, in words.
    """

    wakes: int = 0
    restarts: int = 0
    awake_seconds: float = 0.0
    last_failure: str | None = None
    _seen_at: float | None = None
    _desired: int | None = None
    _standing: int = 0
    _lapses: dict[str, int] = field(default_factory=dict)

    def see(self, now: float, workload: Workload, pods: Iterable[Pod]) -> None:
        """Take in how things stand now.

        Args:
            now: seconds on a monotonic clock.
            workload: the part's Deployment.
            pods: all its pods, those that are over included.
        """
        pods = list(pods)
        self.pass_time(now)
        self._standing = sum(pod.placed and not pod.over for pod in pods)
        self.wakes += self._desired == 0 and workload.desired > 0
        self._desired = workload.desired
        self._count_lapses(pods)
        newest = max(
            (pod for pod in pods if pod.failure is not None),
            key=lambda pod: pod.created_at,
            default=None,
        )
        told = workload.trouble if newest is None else f"{newest.name} {newest.failure}"
        self.last_failure = told or self.last_failure

    def pass_time(self, now: float) -> None:
        """Count the time until now by what stood at the last look."""
        if self._seen_at is not None:
            self.awake_seconds += self._standing * max(0.0, now - self._seen_at)
        self._seen_at = now

    def _count_lapses(self, pods: list[Pod]) -> None:
        lapses = {pod.name: pod.restarts + (pod.over and pod.failure is not None) for pod in pods}
        self.restarts += sum(
            max(0, count - self._lapses.get(name, 0)) for name, count in lapses.items()
        )
        self._lapses = lapses
