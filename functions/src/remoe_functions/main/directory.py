"""Where the replicas of each function listen now, and how a sleeping one is woken.

The engine's thread asks, the HTTP server's loop keeps the answers fresh. Which replicas are worth
calling after failures is the breaker's matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from remoe_functions.runtime.errors import PartError
from remoe_functions.runtime.runtime import Runtime
from remoe_functions.runtime.state import PartKind, Snapshot

RETRY_SECONDS = 0.5
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a replica of a function takes calls."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read `host:port`.

        Raises:
            ValueError: the text is of another form.
        """
        host, _, port = text.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"an endpoint must look like 'host:port', got {text!r}")
        return cls(host, int(port))


class Directory(Protocol):
    """Answers at once; both methods may be called from any thread."""

    def replicas(self, function: str) -> tuple[Endpoint, ...]:
        """The replicas that take calls; empty when the function sleeps."""

    def wake(self, function: str) -> None:
        """Wish for at least one replica; returns without waiting for it."""


class StaticDirectory:
    """Endpoints that never change, for parts started by hand."""

    def __init__(self, endpoints: Mapping[str, tuple[Endpoint, ...]]) -> None:
        self._endpoints = dict(endpoints)

    @classmethod
    def parse(cls, texts: list[str]) -> StaticDirectory:
        """Read `name=host:port` entries; a name may come several times, once per replica.

        Raises:
            ValueError: an entry is of another form.
        """
        endpoints: dict[str, tuple[Endpoint, ...]] = {}
        for text in texts:
            name, equals, place = text.partition("=")
            if not name or not equals:
                raise ValueError(f"an endpoint must look like 'name=host:port', got {text!r}")
            endpoints[name] = (*endpoints.get(name, ()), Endpoint.parse(place))
        return cls(endpoints)

    def replicas(self, function: str) -> tuple[Endpoint, ...]:
        return self._endpoints.get(function, ())

    def wake(self, function: str) -> None:
        """Nothing can be woken here."""


class ClosableRuntime(Runtime, Protocol):
    """A runtime that is reached over connections."""

    async def aclose(self) -> None:
        """Close them; watches end."""


class RuntimeDirectory:
    """The runtime's own word on its functions, kept up to date by `follow`."""

    def __init__(self, runtime: ClosableRuntime, *, wake_interval_seconds: float) -> None:
        self._runtime = runtime
        self._wake_interval_seconds = wake_interval_seconds
        self._replicas: Mapping[str, tuple[Endpoint, ...]] = {}
        self._woken_at: dict[str, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wishes: set[asyncio.Task[None]] = set()

    def replicas(self, function: str) -> tuple[Endpoint, ...]:
        return self._replicas.get(function, ())

    def wake(self, function: str) -> None:
        now = time.monotonic()
        if now - self._woken_at.get(function, float("-inf")) < self._wake_interval_seconds:
            return
        self._woken_at[function] = now
        loop = self._loop
        # A loop that has just closed takes no wishes.
        with contextlib.suppress(RuntimeError):
            if loop is not None:
                loop.call_soon_threadsafe(self._start_wake, function)

    async def follow(self) -> None:
        """Keep the endpoints fresh until cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            try:
                await self._follow_once()
            except PartError as error:
                _log.warning("the runtime is away, its last word stands: %s", error)
            await asyncio.sleep(RETRY_SECONDS)

    async def aclose(self) -> None:
        """Give up wishes under way and leave the runtime; its last word stands."""
        self._loop = None
        for wish in self._wishes:
            wish.cancel()
        await asyncio.gather(*self._wishes, return_exceptions=True)
        await self._runtime.aclose()

    async def _follow_once(self) -> None:
        async with contextlib.aclosing(self._runtime.watch()) as snapshots:
            async for snapshot in snapshots:
                self._replicas = endpoints_of(snapshot)

    def _start_wake(self, function: str) -> None:
        wish = asyncio.ensure_future(self._wake(function))
        self._wishes.add(wish)
        wish.add_done_callback(self._wishes.discard)

    async def _wake(self, function: str) -> None:
        try:
            await self._runtime.wake(function)
        except PartError as error:
            # The experts are computed here meanwhile; a miss a while later wishes again.
            _log.debug("cannot wake %s: %s", function, error)
            pause = min(RETRY_SECONDS, self._wake_interval_seconds)
            self._woken_at[function] = time.monotonic() - self._wake_interval_seconds + pause


def endpoints_of(snapshot: Snapshot) -> dict[str, tuple[Endpoint, ...]]:
    """The addresses of every function's ready replicas."""
    return {
        part.name: tuple(
            Endpoint(replica.host, replica.port)
            for replica in part.ready
            if replica.host is not None and replica.port is not None
        )
        for part in snapshot.of_kind(PartKind.FUNCTION)
    }
