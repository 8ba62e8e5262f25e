"""A runtime that starts nothing: main models at fixed addresses, for runs by hand and tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from urllib.parse import urlsplit

from remoe_functions.runtime.errors import ScaleOutOfBounds, UnknownPart
from remoe_functions.runtime.state import PartKind, PartStatus, Replica, ReplicaState, Snapshot


class StaticRuntime:
    """A `Runtime` whose parts are always awake, one replica each."""

    def __init__(self, urls: Mapping[str, str]) -> None:
        """Know the main models at `urls`, part name -> `http://host:port`."""
        parts = {name: _part(name, url) for name, url in urls.items()}
        self._snapshot = Snapshot(version=1, parts=parts)

    async def scale(self, name: str, replicas: int) -> None:
        await self.wake(name)
        if replicas != 1:
            raise ScaleOutOfBounds(f"part {name!r} has a fixed address and 1 replica")

    async def wake(self, name: str) -> None:
        if name not in self._snapshot.parts:
            raise UnknownPart(name)

    async def snapshot(self) -> Snapshot:
        return self._snapshot

    async def watch(self) -> AsyncGenerator[Snapshot]:
        yield self._snapshot
        await asyncio.Event().wait()


def _part(name: str, url: str) -> PartStatus:
    address = urlsplit(url)
    replica = Replica(
        id=f"{name}-fixed",
        state=ReplicaState.READY,
        host=address.hostname,
        port=address.port or 80,
    )
    return PartStatus(name=name, kind=PartKind.MAIN, desired=1, replicas=(replica,))
