"""How long each replica took to start, by phase: the cluster's word, and the process's own.

A replica is asked once, when it is first called ready. Whether and what it answers changes nothing
but what is known of its start.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterable, Mapping

import httpx

from remoe_functions.runtime.kubernetes.endpoints import Address
from remoe_functions.runtime.kubernetes.phases import Seen, Told, start_phases
from remoe_functions.runtime.kubernetes.pod import Pod

ASK_SECONDS = 2.0
MAX_PHASES = 32
_ASKED_AT_ONCE = 8
_MAX_BYTES = 64 << 10


class Starts:
    """The start-up phases of every replica there is. Belongs to one event loop."""

    def __init__(
        self,
        changed: Callable[[], None],
        *,
        asks: bool = True,
        clock: Callable[[], float] = time.monotonic,
        timeout_seconds: float = ASK_SECONDS,
    ) -> None:
        """Know nothing yet.

        Args:
            changed: called when a replica told its phases.
            asks: whether replicas are asked; without, the cluster's word is all there is.
            clock: seconds, monotonic.
            timeout_seconds: bound of asking one, > 0.
        """
        self._changed = changed
        self._asks = asks
        self._clock = clock
        self._made_at: dict[str, float] = {}
        self._placed_at: dict[str, float] = {}
        self._seen: dict[str, Seen] = {}
        self._timeout_seconds = timeout_seconds
        self._first_ready: dict[str, Pod] = {}
        self._told: dict[str, Told] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(_ASKED_AT_ONCE)
        # Of its own: what the API server is shown is for nobody else's eyes.
        nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # nor is time spent on whom to trust
        self._http = httpx.AsyncClient(timeout=timeout_seconds, trust_env=False, verify=nobody)

    def see(self, pods: Iterable[Pod], addresses: Mapping[str, Address]) -> None:
        """Take in the pods there are, and ask those that are newly ready."""
        there = {pod.name: pod for pod in pods}
        for name, pod in there.items():
            if name in self._first_ready:
                continue
            if pod.up_seconds is not None and (address := addresses.get(name)) is not None:
                self._note_ready(pod, address.host)
            else:
                self._note_progress(pod)
        for known in (self._first_ready, self._told, self._made_at, self._placed_at, self._seen):
            for gone in known.keys() - there.keys():
                del known[gone]

    def phases(self, pod: Pod) -> Mapping[str, float]:
        """A replica's phases; those of its first start, however often it was unready since."""
        first = self._first_ready.get(pod.name, pod)
        return start_phases(first, self._seen.get(pod.name), self._told.get(pod.name))

    async def aclose(self) -> None:
        """Stop asking."""
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        await self._http.aclose()

    def _note_progress(self, pod: Pod) -> None:
        """One that had a node when it was first heard of was not seen from the beginning."""
        if not pod.placed:
            self._made_at.setdefault(pod.name, self._clock())
        elif pod.name in self._made_at:
            self._placed_at.setdefault(pod.name, self._clock())

    def _note_ready(self, pod: Pod, host: str) -> None:
        self._first_ready[pod.name] = pod
        made_at, placed_at = self._made_at.get(pod.name), self._placed_at.get(pod.name)
        if made_at is not None and placed_at is not None:
            self._seen[pod.name] = Seen(
                schedule_seconds=placed_at - made_at, total_seconds=self._clock() - made_at
            )
        if self._asks and pod.http_port is not None:
            self._ask(pod, host, pod.http_port)

    def _ask(self, pod: Pod, host: str, port: int) -> None:
        place = f"[{host}]" if ":" in host else host
        task = asyncio.create_task(self._hear(pod.name, f"http://{place}:{port}/activity"))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _hear(self, name: str, url: str) -> None:
        ready_at = self._clock()
        try:
            async with self._slots, asyncio.timeout(self._timeout_seconds):
                response = await self._http.get(url)
                told = _told(response, self._clock() - ready_at) if response.is_success else None
        except (httpx.HTTPError, TimeoutError, ValueError, TypeError):
            return
        if told is not None and name in self._first_ready:
            self._told[name] = told
            self._changed()


def _told(response: httpx.Response, after_seconds: float) -> Told | None:
    """What an answer tells, so long after the process was called ready; None without phases."""
    body = response.json() if len(response.content) <= _MAX_BYTES else None
    if not isinstance(body, dict):
        return None
    found = body.get("phases")
    if not isinstance(found, dict) or not 0 < len(found) <= MAX_PHASES:
        return None
    idle = body.get("idle_seconds")
    return Told(
        phases={str(name): max(0.0, float(seconds)) for name, seconds in found.items()},
        # Idle since it was ready, where no call came in between.
        late_seconds=None if idle is None else max(0.0, float(idle) - after_seconds),
    )
