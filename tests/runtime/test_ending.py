import asyncio
import json
import os
import signal
import sys
import threading
from pathlib import Path

import psutil
import pytest

from remoe_functions.runtime.readiness import wait_ready

SUPERVISOR = Path(__file__).with_name("supervisor_of_tiny_parts.py")


@pytest.fixture
async def supervisor(tmp_path):
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SUPERVISOR), str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


async def test_no_orphan_survives_a_killed_supervisor(world, supervisor):
    async with asyncio.timeout(20):
        pids = json.loads(await supervisor.stdout.readline())
    assert len(pids) == 2
    assert all(map(_alive, pids))
    os.kill(supervisor.pid, signal.SIGKILL)
    await supervisor.wait()
    await world.until_true(lambda: not any(map(_alive, pids)), seconds=5)


async def test_closing_drains_every_part(world):
    parts = [world.part(name, min_replicas=1) for name in ("one", "two")]
    async with world.runtime(*parts) as runtime:
        for part in parts:
            await wait_ready(runtime, part.name, 15)
        pids = [world.pids(runtime, part.name)[0] for part in parts]
    assert not any(map(_alive, pids))
    assert all((world.levers(part.name) / "left").exists() for part in parts)


async def test_a_replica_unwanted_before_it_began_is_never_started(world):
    async with world.runtime(world.part()) as runtime:
        await runtime.wake("echo")
        await runtime.stop_part("echo")
        part = (await runtime.snapshot()).parts["echo"]
    assert (world.starts("echo"), part.replicas, part.last_failure) == (0, (), None)


async def test_parts_can_be_stopped_in_order(world):
    parts = [world.part(name, min_replicas=1) for name in ("door", "room")]
    async with world.runtime(*parts) as runtime:
        for part in parts:
            await wait_ready(runtime, part.name, 15)
        await runtime.stop_part("door")
        snapshot = await runtime.snapshot()
        assert snapshot.parts["door"].replicas == ()
        assert snapshot.parts["room"].ready
        await runtime.wake("door")
        assert (await runtime.snapshot()).parts["door"].replicas == ()


async def test_closing_kills_what_will_not_leave(world):
    part = world.part(behavior={"stubborn": True}, drain_seconds=0.2, min_replicas=1)
    async with world.runtime(part) as runtime:
        await wait_ready(runtime, "echo", 15)
        pid = world.pids(runtime, "echo")[0]
    assert not _alive(pid)


async def test_closing_while_a_replica_is_being_made_leaves_nothing(world):
    for _ in range(5):
        async with world.runtime(world.part(min_replicas=1)) as runtime:
            await asyncio.sleep(0)
        assert runtime._pools["echo"].empty
    assert psutil.Process().children() == []


async def test_killing_at_once_leaves_nothing(world):
    part = world.part(behavior={"stubborn": True}, min_replicas=1, drain_seconds=60)
    async with world.runtime(part) as runtime:
        await wait_ready(runtime, "echo", 15)
        async with asyncio.timeout(5):
            await runtime.kill()
    assert psutil.Process().children() == []


async def test_descriptors_threads_and_processes_are_given_back(world):
    async with world.runtime(world.part()) as runtime:
        before = None
        for _ in range(4):
            await runtime.wake("echo")
            await wait_ready(runtime, "echo", 15)
            await runtime.scale("echo", 0)
            await world.until(runtime, lambda parts: not parts["echo"].replicas)
            before = before or _holdings()
        await world.until_true(lambda: _holdings() <= before)


def _holdings():
    children = len(psutil.Process().children())
    return len(list(Path("/proc/self/fd").iterdir())) + threading.active_count() + children


def _alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
