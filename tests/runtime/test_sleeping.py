import asyncio

import pytest

from remoe_functions.runtime.errors import ScaleOutOfBounds
from remoe_functions.runtime.readiness import wait_ready
from remoe_functions.runtime.state import ReplicaState


async def test_an_idle_replica_is_stopped_after_its_keep_alive(world):
    async with world.runtime(world.part(keep_alive_seconds=0)) as runtime:
        await runtime.wake("echo")
        await wait_ready(runtime, "echo", 15)
        snapshot = await world.until(runtime, lambda parts: not parts["echo"].replicas)
        part = snapshot.parts["echo"]
        assert (part.desired, part.restarts, part.last_failure) == (0, 0, None)
        assert (world.levers("echo") / "left").exists()


async def test_a_replica_with_calls_in_flight_stays(world):
    (world.levers("echo") / "in_flight").write_text("1")
    async with world.runtime(world.part(keep_alive_seconds=0)) as runtime:
        await runtime.wake("echo")
        await wait_ready(runtime, "echo", 15)
        await asyncio.sleep(1.6)
        assert (await runtime.snapshot()).parts["echo"].ready
        (world.levers("echo") / "in_flight").write_text("0")
        await world.until(runtime, lambda parts: not parts["echo"].replicas)


async def test_a_wake_keeps_an_idle_replica(world):
    async with world.runtime(world.part(keep_alive_seconds=0)) as runtime:
        await runtime.wake("echo")
        first = await wait_ready(runtime, "echo", 15)
        for _ in range(8):
            await asyncio.sleep(0.2)
            await runtime.wake("echo")
        assert [r.id for r in (await runtime.snapshot()).parts["echo"].ready] == [first.id]


async def test_the_minimum_never_sleeps(world):
    part = world.part(keep_alive_seconds=0, min_replicas=1, max_replicas=2)
    async with world.runtime(part) as runtime:
        await runtime.scale("echo", 2)
        await world.until(runtime, lambda parts: len(parts["echo"].ready) == 2)
        await world.until(runtime, lambda parts: len(parts["echo"].replicas) == 1)
        await asyncio.sleep(0.3)
        assert len((await runtime.snapshot()).parts["echo"].ready) == 1


async def test_scaling_down_waits_for_calls_in_flight(world):
    (world.levers("echo") / "in_flight").write_text("2")
    async with world.runtime(world.part()) as runtime:
        await runtime.wake("echo")
        await wait_ready(runtime, "echo", 15)
        await asyncio.sleep(0.1)
        await runtime.scale("echo", 0)
        await asyncio.sleep(0.2)
        assert (await runtime.snapshot()).parts["echo"].ready
        (world.levers("echo") / "in_flight").write_text("0")
        await world.until(runtime, lambda parts: not parts["echo"].replicas)


async def test_a_replica_that_is_starting_is_not_stopped(world):
    (world.levers("echo") / "hold").write_text("1")
    async with world.runtime(world.part()) as runtime:
        await runtime.wake("echo")
        await world.until(runtime, lambda parts: parts["echo"].replicas[0].phases)
        await runtime.scale("echo", 0)
        await asyncio.sleep(0.2)
        assert (await runtime.snapshot()).parts["echo"].replicas[0].state is ReplicaState.STARTING
        (world.levers("echo") / "hold").unlink()
        snapshot = await world.until(runtime, lambda parts: not parts["echo"].replicas)
        assert snapshot.parts["echo"].last_failure is None


async def test_a_stubborn_replica_is_killed_after_its_drain_bound(world):
    part = world.part(behavior={"stubborn": True}, drain_seconds=0.3)
    async with world.runtime(part) as runtime:
        await runtime.wake("echo")
        await wait_ready(runtime, "echo", 15)
        await runtime.scale("echo", 0)
        snapshot = await world.until(runtime, lambda parts: not parts["echo"].replicas)
        assert "did not end within 0.3 s" in snapshot.parts["echo"].last_failure
        assert snapshot.parts["echo"].restarts == 0


@pytest.mark.parametrize("replicas", [-1, 3])
async def test_scaling_out_of_bounds_says_what_is_allowed(world, replicas):
    async with world.runtime(world.part(max_replicas=2)) as runtime:
        with pytest.raises(ScaleOutOfBounds, match=f"may have 0 to 2 replicas, got {replicas}"):
            await runtime.scale("echo", replicas)
        assert (await runtime.snapshot()).parts["echo"].desired == 0


async def test_scaling_up_and_down(world):
    async with world.runtime(world.part(max_replicas=3)) as runtime:
        await runtime.scale("echo", 3)
        await world.until(runtime, lambda parts: len(parts["echo"].ready) == 3)
        await runtime.scale("echo", 1)
        await world.until(runtime, lambda parts: len(parts["echo"].replicas) == 1)
        assert world.starts("echo") == 3
