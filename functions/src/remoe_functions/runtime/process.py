"""The process runtime: every part of a service as child processes of this one.

Composition and the beat live here; what to do is decided in `decision`, and done in `pool`.
No child outlives this process, however it ends: see `tether`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path
from types import TracebackType

from remoe_functions.runtime.errors import UnknownPart
from remoe_functions.runtime.part import PartSpec
from remoe_functions.runtime.pool import Pool
from remoe_functions.runtime.replica import Clock
from remoe_functions.runtime.state import Snapshot

TICK_SECONDS = 0.1
LOOK_SECONDS = 1.0
REFRESH_SECONDS = 5.0


class ProcessRuntime:
    """A `Runtime` whose replicas are child processes. Use as an async context manager.

    Belongs to one event loop, on the main thread (child processes are watched there).
    """

    def __init__(
        self,
        specs: Iterable[PartSpec],
        *,
        run_dir: Path,
        clock: Clock = time.monotonic,
        tick_seconds: float = TICK_SECONDS,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        """Know the parts; nothing is started before `start`.

        Args:
            specs: the parts, names unique.
            run_dir: the replicas' logs go to its folder `logs`.
            clock: seconds, monotonic; every decision is taken on it.
            tick_seconds: how often bounds (keep-alive, back-off, drain) are looked at, > 0.
            refresh_seconds: how often a watch repeats itself when nothing changes, > 0.
        """
        for name, value in (("tick_seconds", tick_seconds), ("refresh_seconds", refresh_seconds)):
            if value <= 0:
                raise ValueError(f"{name} must be > 0, got {value}")
        self._tick_seconds = tick_seconds
        self._refresh_seconds = refresh_seconds
        self._version = 0
        self._change = asyncio.Event()
        self._closed = False
        self._beating: asyncio.Task[None] | None = None
        self._pools: dict[str, Pool] = {}
        for spec in specs:
            if spec.name in self._pools:
                raise ValueError(f"part names must be unique, got {spec.name!r} twice")
            self._pools[spec.name] = Pool(
                spec, logs=run_dir / "logs", clock=clock, changed=self._changed
            )

    async def __aenter__(self) -> ProcessRuntime:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Start the minimum of every part, and the beat that keeps desired and real together."""
        for pool in self._pools.values():
            pool.reconcile()
        self._beating = asyncio.create_task(self._beat(), name="runtime-beat")

    async def scale(self, name: str, replicas: int) -> None:
        self._pool(name).scale(replicas)

    async def wake(self, name: str) -> None:
        self._pool(name).wake()

    async def snapshot(self) -> Snapshot:
        parts = {name: pool.status() for name, pool in self._pools.items()}
        return Snapshot(version=self._version, parts=parts)

    async def watch(self) -> AsyncGenerator[Snapshot]:
        """The present snapshot first, then one after every change; ends with the runtime."""
        while True:
            change = self._change
            yield await self.snapshot()
            if self._closed:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(change.wait(), self._refresh_seconds)

    async def stop_part(self, name: str) -> None:
        """Drain every replica of a part for good, within its drain bound.

        Raises:
            UnknownPart: no part of that name.
        """
        await self._pool(name).close()

    async def kill(self) -> None:
        """End every replica at once."""
        await asyncio.gather(*(pool.kill() for pool in self._pools.values()))

    async def close(self) -> None:
        """Drain every part within its bound, then end watches and the beat."""
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        self._closed = True
        self._changed()

    def _pool(self, name: str) -> Pool:
        if name not in self._pools:
            raise UnknownPart(name)
        return self._pools[name]

    def _changed(self) -> None:
        """Wake every watcher; those that come later wait for the next change."""
        self._version += 1
        self._change.set()
        self._change = asyncio.Event()

    async def _beat(self) -> None:
        ticks_per_look = max(1, round(LOOK_SECONDS / self._tick_seconds))
        ticks = 0
        while True:
            await asyncio.sleep(self._tick_seconds)
            for pool in self._pools.values():
                pool.reconcile()
                if ticks % ticks_per_look == 0:
                    pool.look()
            ticks += 1
