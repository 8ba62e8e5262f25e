import asyncio

import pytest

from remoe_functions.runtime.errors import PartNotReady, UnknownPart
from remoe_functions.runtime.readiness import wait_ready
from remoe_functions.runtime.state import ReplicaState


async def test_nothing_runs_before_anybody_wakes_it(world):
    async with world.runtime(world.part()) as runtime:
        await asyncio.sleep(0.1)
        part = (await runtime.snapshot()).parts["echo"]
        assert (part.desired, part.replicas, part.wakes) == (0, (), 0)
        assert world.starts("echo") == 0


async def test_a_herd_starts_one_process(world):
    async with world.runtime(world.part()) as runtime:
        await asyncio.gather(*(runtime.wake("echo") for _ in range(200)))
        replica = await wait_ready(runtime, "echo", 15)
        await asyncio.gather(*(runtime.wake("echo") for _ in range(200)))
        part = (await runtime.snapshot()).parts["echo"]
        assert world.starts("echo") == 1
        assert (part.wakes, part.restarts, part.ready[0].id) == (1, 0, replica.id)


async def test_a_ready_replica_tells_its_address_and_phases(world):
    async with world.runtime(world.part()) as runtime:
        await runtime.wake("echo")
        replica = await wait_ready(runtime, "echo", 15)
        assert (replica.host, replica.port) == ("127.0.0.1", 4711)
        assert list(replica.phases) == ["imports", "weights"]
        assert 0 < replica.startup_seconds < 15
        assert replica.state is ReplicaState.READY


async def test_memory_and_awake_seconds_are_measured(world):
    async with world.runtime(world.part()) as runtime:
        await runtime.wake("echo")
        snapshot = await world.until(runtime, lambda parts: parts["echo"].memory_bytes > 0)
        await asyncio.sleep(0.05)
        later = await runtime.snapshot()
        assert later.parts["echo"].awake_seconds > snapshot.parts["echo"].awake_seconds > 0
        assert snapshot.parts["echo"].memory_bytes > 1 << 20


async def test_awake_seconds_stop_with_the_process(world):
    async with world.runtime(world.part()) as runtime:
        await runtime.wake("echo")
        await wait_ready(runtime, "echo", 15)
        await runtime.scale("echo", 0)
        await world.until(runtime, lambda parts: not parts["echo"].replicas)
        first = (await runtime.snapshot()).parts["echo"].awake_seconds
        await asyncio.sleep(0.05)
        assert (await runtime.snapshot()).parts["echo"].awake_seconds == first > 0


async def test_minimum_is_started_without_a_wake(world):
    async with world.runtime(world.part(min_replicas=2, max_replicas=2)) as runtime:
        await world.until(runtime, lambda parts: len(parts["echo"].ready) == 2)


async def test_waiting_for_an_unknown_part_says_so(world):
    async with world.runtime(world.part()) as runtime:
        with pytest.raises(UnknownPart, match="'nobody'"):
            await wait_ready(runtime, "nobody", 5)
        with pytest.raises(UnknownPart, match="'nobody'"):
            await runtime.wake("nobody")


async def test_waiting_for_a_part_nobody_wakes_ends_with_words(world):
    async with world.runtime(world.part()) as runtime:
        with pytest.raises(PartNotReady, match=r"'echo' is not ready: no replica within 0.1 s"):
            await wait_ready(runtime, "echo", 0.1)


async def test_a_part_sleeps_and_wakes_again(world):
    async with world.runtime(world.part()) as runtime:
        for wakes in (1, 2):
            await runtime.wake("echo")
            await wait_ready(runtime, "echo", 15)
            await runtime.scale("echo", 0)
            snapshot = await world.until(runtime, lambda parts: not parts["echo"].replicas)
            assert snapshot.parts["echo"].wakes == wakes
        assert snapshot.parts["echo"].restarts == 0
