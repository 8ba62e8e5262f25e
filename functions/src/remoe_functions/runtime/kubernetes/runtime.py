"""The runtime itself: three watched lists put together to snapshots, and scaling beside them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import TypeVar

from remoe_functions.runtime.errors import RuntimeUnavailable, ScaleOutOfBounds
from remoe_functions.runtime.kubernetes.access import Access
from remoe_functions.runtime.kubernetes.api import ApiServer, Object
from remoe_functions.runtime.kubernetes.endpoints import Slice
from remoe_functions.runtime.kubernetes.labels import Service
from remoe_functions.runtime.kubernetes.observed import Observed
from remoe_functions.runtime.kubernetes.pod import Pod
from remoe_functions.runtime.kubernetes.reflector import Reflector
from remoe_functions.runtime.kubernetes.scaling import Scale, Scaler
from remoe_functions.runtime.kubernetes.starts import Starts
from remoe_functions.runtime.kubernetes.workload import Workload
from remoe_functions.runtime.state import PartStatus, Snapshot

NAMESPACE, SERVICE, PLAN = "REMOE_NAMESPACE", "REMOE_SERVICE", "REMOE_PLAN"
FIRST_WORD_SECONDS = 5.0
REFRESH_SECONDS = 5.0
# What changes together is told together: a replica's start alone is half a dozen events.
COALESCE_SECONDS = 0.05

T = TypeVar("T")


class KubernetesRuntime:
    """A `Runtime` whose parts are Deployments. Belongs to one event loop; close it when done.

    Watching begins with the first `watch` or `snapshot`. `scale` only ever raises: the operator
    alone puts to sleep. That the API server is away ends nothing: its last word stands.
    """

    def __init__(
        self,
        namespace: str,
        service: str,
        plan_digest: str,
        *,
        access: Access | None = None,
        asks_for_phases: bool = True,
        refresh_seconds: float = REFRESH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know where to look; nothing is asked yet.

        Args:
            namespace: of the service.
            service: the name of its MoEService.
            plan_digest: whose functions are meant, as in their names.
            access: to the cluster; None finds the pod's own, or the kubeconfig's.
            asks_for_phases: whether replicas are asked how their start went.
            refresh_seconds: how often a watch repeats itself when nothing changes, > 0.
            clock: seconds, monotonic.

        Raises:
            RuntimeUnavailable: there is no access to be found.
        """
        if refresh_seconds <= 0:
            raise ValueError(f"refresh_seconds must be > 0, got {refresh_seconds}")
        self._service = Service(service, plan_digest)
        self._api = ApiServer(access or Access.found())
        self._refresh_seconds = refresh_seconds
        self._version = 0
        self._change = asyncio.Event()
        self._closed = False
        self._following: list[asyncio.Task[None]] = []
        apps, core = f"/apis/apps/v1/namespaces/{namespace}", f"/api/v1/namespaces/{namespace}"
        discovery = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}"
        self._deployments = f"{apps}/deployments"
        self._workloads = self._reflector(self._deployments, Workload.read)
        self._pods = self._reflector(f"{core}/pods", Pod.read)
        self._slices = self._reflector(f"{discovery}/endpointslices", Slice.read)
        self._starts = Starts(self._changed, asks=asks_for_phases, clock=clock)
        self._observed = Observed(self._starts, clock=clock)
        self._scaler = Scaler(self._api, self._scale_path, self._known_scale)

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] = os.environ, *, asks_for_phases: bool = True
    ) -> KubernetesRuntime:
        """The runtime of the service that $REMOE_SERVICE names, under the plan $REMOE_PLAN.

        Raises:
            RuntimeUnavailable: a variable is missing, or there is no access to a cluster.
        """
        missing = [name for name in (NAMESPACE, SERVICE, PLAN) if not environment.get(name)]
        if missing:
            raise RuntimeUnavailable(
                f"{', '.join(missing)} must be set to find the service's parts"
            )
        return cls(
            environment[NAMESPACE],
            environment[SERVICE],
            environment[PLAN],
            asks_for_phases=asks_for_phases,
        )

    async def __aenter__(self) -> KubernetesRuntime:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End watches and close connections."""
        self._closed = True
        self._announce()
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        await self._scaler.aclose()
        await self._starts.aclose()
        await self._api.aclose()

    @property
    def is_live(self) -> bool:
        """Whether the API server is heard now; where not, its last word stands."""
        return self._workloads.live and self._slices.live

    async def scale(self, name: str, replicas: int) -> None:
        """Want at least so many replicas; where more are wanted already, they stay."""
        if replicas < 0:
            raise ScaleOutOfBounds(f"part {name!r} cannot have {replicas} replicas")
        await self._scaler.raise_to(name, replicas)

    async def wake(self, name: str) -> None:
        """Want at least one replica: one call where it sleeps, none where it is seen awake."""
        await self._scaler.raise_to(name, 1)

    async def snapshot(self) -> Snapshot:
        """Every part now.

        Raises:
            RuntimeUnavailable: the API server has not said a first word in time.
        """
        self._begin()
        try:
            async with asyncio.timeout(FIRST_WORD_SECONDS):
                while not self._is_told:
                    await self._change.wait()
        except TimeoutError:
            raise RuntimeUnavailable("the API server has not told of the parts yet") from None
        return self._snapshot()

    async def watch(self) -> AsyncGenerator[Snapshot]:
        """The present snapshot first, then one after every change; ends with the runtime.

        Nothing comes before the API server's first word, and no error while it is away.
        """
        self._begin()
        told: Snapshot | None = None
        loop = asyncio.get_running_loop()
        repeat_at = 0.0
        while not self._closed:
            change = self._change
            if self._is_told:
                latest = self._snapshot()
                if loop.time() >= repeat_at or not _same(told, latest):
                    repeat_at = loop.time() + self._refresh_seconds
                    yield latest
                    told = latest
                    await asyncio.sleep(COALESCE_SECONDS)
            patience = max(0.0, repeat_at - loop.time()) if self._is_told else None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(change.wait(), patience)

    def _begin(self) -> None:
        if not self._following and not self._closed:
            lists = (self._workloads, self._slices, self._pods)
            self._following = [asyncio.create_task(each.run()) for each in lists]

    @property
    def _is_told(self) -> bool:
        # Pods tell why and how long; the parts can be called without.
        return self._workloads.synced and self._slices.synced

    def _snapshot(self) -> Snapshot:
        return Snapshot(version=self._version, parts=self._observed.parts())

    def _reflector(self, path: str, read: Callable[[Service, Object], T | None]) -> Reflector[T]:
        return Reflector(
            self._api,
            path,
            self._service.selector,
            read=partial(read, self._service),
            changed=self._look,
        )

    def _look(self) -> None:
        """One of the lists changed."""
        self._observed.see(
            self._workloads.objects.values(),
            self._pods.objects.values(),
            self._slices.objects.values(),
        )
        self._changed()

    def _changed(self) -> None:
        self._version += 1
        self._announce()

    def _announce(self) -> None:
        """Wake every watcher; those that come later wait for the next change."""
        self._change.set()
        self._change = asyncio.Event()

    def _scale_path(self, part: str) -> str:
        return f"{self._deployments}/{self._service.deployment(part)}/scale"

    def _known_scale(self, part: str) -> Scale | None:
        workload = self._workloads.objects.get(self._service.deployment(part))
        if workload is None or not self._workloads.live:
            return None
        return Scale(workload.desired, workload.version)


def _same(told: Snapshot | None, latest: Snapshot) -> bool:
    """Whether nothing is new but the time that went by."""
    return told is not None and _timeless(told) == _timeless(latest)


def _timeless(snapshot: Snapshot) -> dict[str, PartStatus]:
    return {name: replace(part, awake_seconds=0.0) for name, part in snapshot.parts.items()}
