"""A runtime in memory whose parts do what the test says."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from remoe_functions.runtime.errors import RuntimeUnavailable, UnknownPart
from remoe_functions.runtime.state import PartKind, PartStatus, Replica, ReplicaState, Snapshot


class FakeRuntime:
    """Main is part `main`, functions `f0` and `f1`; waking main calls `on_wake`."""

    def __init__(self, *, port=None):
        main = PartStatus(name="main", kind=PartKind.MAIN, desired=0)
        functions = [PartStatus(name=n, kind=PartKind.FUNCTION, desired=0) for n in ("f0", "f1")]
        self.parts = {part.name: part for part in (main, *functions)}
        self.version = 1
        self.wakes = []
        self.on_wake = {}
        self.unavailable = False
        self.changed = asyncio.Event()
        self.lives = 0
        if port is not None:
            self.main_ready(port)

    def update(self, name, **changes):
        self.parts = self.parts | {name: replace(self.parts[name], **changes)}
        self.version += 1
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    def main_ready(self, port):
        self.lives += 1
        replica = Replica(
            id=f"main-{self.lives}", state=ReplicaState.READY, host="127.0.0.1", port=port
        )
        self.update("main", desired=1, replicas=(replica,))

    def main_gone(self):
        self.update("main", desired=0, replicas=())

    async def scale(self, name, replicas):
        self.update(name, desired=replicas)

    async def wake(self, name):
        if self.unavailable:
            raise RuntimeUnavailable("no supervisor")
        if name not in self.parts:
            raise UnknownPart(name)
        self.wakes.append(name)
        part = self.parts[name]
        if part.desired == 0:
            self.update(name, desired=1, wakes=part.wakes + 1)
        if name in self.on_wake:
            self.on_wake[name]()

    async def snapshot(self):
        return Snapshot(version=self.version, parts=self.parts)

    async def watch(self):
        while True:
            changed = self.changed
            yield await self.snapshot()
            await changed.wait()
