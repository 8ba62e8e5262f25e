"""Endpoints follow the runtime's word, and a wish to wake reaches it once."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from remoe_functions.main.directory import Endpoint, RuntimeDirectory, StaticDirectory
from remoe_functions.runtime.errors import RuntimeUnavailable
from remoe_functions.runtime.state import PartKind, PartStatus, Replica, ReplicaState, Snapshot


def snapshot(*ports, kind=PartKind.FUNCTION):
    replicas = [
        Replica(id=f"f-{port}", state=ReplicaState.READY, host="127.0.0.1", port=port)
        for port in ports
    ]
    starting = Replica(id="f-x", state=ReplicaState.STARTING)
    part = PartStatus(name="f", kind=kind, desired=1, replicas=(*replicas, starting))
    return Snapshot(version=1, parts={"f": part})


class FakeRuntime:
    def __init__(self):
        self.snapshots = asyncio.Queue()
        self.wakes = []
        self.broken = False
        self.closed = False

    async def aclose(self):
        self.closed = True

    async def wake(self, name):
        self.wakes.append(name)
        if self.broken:
            raise RuntimeUnavailable("away")

    async def watch(self):
        while True:
            found = await self.snapshots.get()
            if isinstance(found, Exception):
                raise found
            yield found


@contextlib.asynccontextmanager
async def following(runtime, interval=60.0):
    directory = RuntimeDirectory(runtime, wake_interval_seconds=interval)
    task = asyncio.create_task(directory.follow())
    await asyncio.sleep(0)
    yield directory
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def settle(condition):
    for _ in range(400):
        if condition():
            return True
        await asyncio.sleep(0.005)
    return condition()


async def test_ready_replicas_come_and_go():
    runtime = FakeRuntime()
    async with following(runtime) as directory:
        assert directory.replicas("f") == ()
        runtime.snapshots.put_nowait(snapshot(1, 2))
        both = (Endpoint("127.0.0.1", 1), Endpoint("127.0.0.1", 2))
        assert await settle(lambda: directory.replicas("f") == both)
        runtime.snapshots.put_nowait(snapshot(2))
        assert await settle(lambda: directory.replicas("f") == both[1:])
        runtime.snapshots.put_nowait(snapshot(3, kind=PartKind.GATEWAY))
        assert await settle(lambda: directory.replicas("f") == ())


async def test_many_wishes_wake_once():
    runtime = FakeRuntime()
    async with following(runtime) as directory:
        await asyncio.gather(*(asyncio.to_thread(directory.wake, "f") for _ in range(5)))
        assert await settle(lambda: runtime.wakes == ["f"])
        directory.wake("f")
        await asyncio.sleep(0.02)
        assert runtime.wakes == ["f"]


async def test_wish_that_failed_is_made_again():
    runtime = FakeRuntime()
    runtime.broken = True
    async with following(runtime) as directory:
        directory.wake("f")
        assert await settle(lambda: runtime.wakes == ["f"])
        runtime.broken = False
        assert await settle(lambda: directory.wake("f") or runtime.wakes == ["f", "f"])


async def test_runtime_that_is_away_is_not_asked_at_every_miss():
    runtime = FakeRuntime()
    runtime.broken = True
    async with following(runtime) as directory:
        for _ in range(10):
            directory.wake("f")
            await asyncio.sleep(0.005)
        assert runtime.wakes == ["f"]


async def test_wish_after_the_end_is_dropped():
    runtime = FakeRuntime()
    async with following(runtime) as directory:
        await directory.aclose()
        directory.wake("f")
        await asyncio.sleep(0.01)
        assert (runtime.wakes, runtime.closed) == ([], True)


async def test_following_outlives_a_runtime_that_is_away():
    runtime = FakeRuntime()
    async with following(runtime) as directory:
        runtime.snapshots.put_nowait(RuntimeUnavailable("away"))
        runtime.snapshots.put_nowait(snapshot(1))
        assert await settle(lambda: directory.replicas("f") != ())


@pytest.mark.parametrize("text", ["f", "f=", "f=host", "f=host:0", "f=host:99999", "=host:1"])
def test_malformed_endpoint_is_refused(text):
    with pytest.raises(ValueError, match="must look like"):
        StaticDirectory.parse([text])
