"""The loop that asks pods what they do, decides, and scales."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from time import monotonic
from typing import Any, Protocol

from remoe_operator.cluster.errors import ClusterError, ConflictError
from remoe_operator.cluster.kinds import Manifest
from remoe_operator.scaling.activity import Activity
from remoe_operator.scaling.deciding import PartLoad, Sample, decide
from remoe_operator.scaling.scalable import Scalable

_LOG = logging.getLogger(__name__)
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_MOST_SAMPLES = 4000
_AT_ONCE = 32


class Asks(Protocol):
    """Questions to pods; None for no answer."""

    async def ask(
        self, pod: Manifest, port: int, path: str, query: Mapping[str, str] | None = None
    ) -> Mapping[str, Any] | None: ...


class Scales(Protocol):
    """What is done on the cluster."""

    async def scale(self, deployment: Manifest, replicas: int) -> None: ...

    async def merge(self, live: Manifest, patch: Manifest) -> Manifest: ...


class Scaler:
    """Scales the parts of services that something runs of.

    Nothing that it remembers is needed: after a restart it takes longer to be sure of idleness,
    no more.

    Args:
        pods: to ask them what they do.
        cluster: to scale.
        period_seconds: between looks.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        pods: Asks,
        cluster: Scales,
        *,
        period_seconds: float = 2.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._pods, self._cluster = pods, cluster
        self._period, self._clock = period_seconds, clock
        self._known: dict[Hashable, tuple[Scalable, ...]] = {}
        self._windows: dict[str, deque[Sample]] = {}
        self._at_once = asyncio.Semaphore(_AT_ONCE)

    def know(self, key: Hashable, parts: Iterable[Scalable]) -> None:
        """What a service's last pass found; replaces what was known of it."""
        self._known[key] = tuple(parts)

    def forget(self, key: Hashable) -> None:
        """A service is gone."""
        self._known.pop(key, None)

    async def run(self) -> None:
        """Look every period, for ever."""
        while True:
            await asyncio.gather(asyncio.sleep(self._period), self.look())

    async def look(self) -> None:
        """Look at every part once."""
        parts = [part for known in self._known.values() for part in known if part.needs_a_look]
        for uid in set(self._windows) - {part.uid for part in parts}:
            del self._windows[uid]
        await asyncio.gather(*(self._look_at(part) for part in parts))

    async def _look_at(self, part: Scalable) -> None:
        async with self._at_once:
            said = await asyncio.gather(*(self._activity(part, pod) for pod in part.pods))
            load = PartLoad(replicas=part.replicas, pods=tuple(said))
            window = self._remember(part.uid, load.known_load, part.limits.idle_seconds)
            load = PartLoad(replicas=part.replicas, pods=tuple(said), window=window)
            replicas = decide(load, part.limits)
            if replicas is not None and replicas != part.replicas:
                await self._scale(part, said, replicas)

    async def _activity(self, part: Scalable, pod: Manifest) -> Activity | None:
        answer = await self._pods.ask(pod, part.port, "/activity")
        try:
            return Activity.from_mapping(answer) if answer is not None else None
        except ValueError:
            return None

    def _remember(self, uid: str, load: int, span_seconds: float) -> tuple[Sample, ...]:
        now = self._clock()
        window = self._windows.setdefault(uid, deque(maxlen=_MOST_SAMPLES))
        window.append(Sample(seconds=now, load=load))
        while len(window) > 2 and window[1].seconds <= now - max(span_seconds, 10.0):
            window.popleft()
        return tuple(window)

    async def _scale(self, part: Scalable, said: Iterable[Activity | None], replicas: int) -> None:
        try:
            if 0 < replicas < part.replicas:
                await self._spare_the_busy(part, said)
            await self._cluster.scale(part.deployment, replicas)
        except ConflictError:
            _LOG.info("%s changed meanwhile, and is left as it is", part.name)
        except ClusterError as error:
            _LOG.warning("%s was not scaled to %d: %s", part.name, replicas, error)
        else:
            _LOG.info("%s scaled from %d to %d", part.name, part.replicas, replicas)

    async def _spare_the_busy(self, part: Scalable, said: Iterable[Activity | None]) -> None:
        """Tell Kubernetes which replicas to end first: those with the least to do."""
        for pod, activity in zip(part.pods, said, strict=True):
            cost = str(activity.load if activity else 0)
            known = (pod["metadata"].get("annotations") or {}).get(_DELETION_COST, "0")
            if cost != known:
                await self._cluster.merge(
                    pod, {"metadata": {"annotations": {_DELETION_COST: cost}}}
                )
