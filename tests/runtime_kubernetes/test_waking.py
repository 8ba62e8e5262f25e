"""A sleeping part is woken once, however many wish for it, and never made smaller."""

from __future__ import annotations

import asyncio

import pytest

from remoe_functions.runtime.errors import RuntimeUnavailable, ScaleOutOfBounds, UnknownPart


async def test_herd_wakes_a_part_once(world):
    world.cluster.deploy("experts-1")
    runtime = world.runtime()
    await asyncio.gather(*(runtime.wake("experts-1") for _ in range(50)))
    assert world.cluster.replicas("experts-1") == 1
    assert world.cluster.count("PATCH") == 1


async def test_two_processes_wake_a_part_once(world):
    world.cluster.deploy("main")
    one, other = world.runtime(), world.runtime()
    await asyncio.gather(one.wake("main"), other.wake("main"))
    assert world.cluster.replicas("main") == 1


async def test_wake_of_a_part_seen_awake_asks_nobody(world):
    world.cluster.deploy("main", 3)
    runtime = world.runtime()
    await runtime.snapshot()
    await world.until_true(lambda: runtime.is_live)
    await runtime.wake("main")
    assert world.cluster.count("PATCH") == 0
    assert world.cluster.count("GET", "/scale") == 0
    assert world.cluster.replicas("main") == 3


async def test_wake_never_makes_a_part_smaller(world):
    world.cluster.deploy("main", 3)
    runtime = world.runtime()
    await runtime.wake("main")
    assert world.cluster.replicas("main") == 3
    assert world.cluster.count("PATCH") == 0


async def test_part_put_to_sleep_a_moment_ago_is_woken_again(world):
    world.cluster.deploy("experts-1", 1)
    runtime = world.runtime()
    await runtime.snapshot()
    world.cluster.deploy("experts-1", 0)
    await world.until(runtime, lambda parts: parts["experts-1"].desired == 0)
    await runtime.wake("experts-1")
    assert world.cluster.replicas("experts-1") == 1


async def test_change_by_somebody_else_in_between_is_looked_at_anew(world):
    world.cluster.deploy("experts-1")
    runtime = world.runtime()
    world.cluster.conflicts = 3
    await runtime.wake("experts-1")
    assert world.cluster.replicas("experts-1") == 1


async def test_endless_conflicts_end(world):
    world.cluster.deploy("experts-1")
    world.cluster.conflicts = 10_000
    with pytest.raises(RuntimeUnavailable, match="changed by others"):
        await world.runtime().wake("experts-1")


async def test_scale_raises_and_never_lowers(world):
    world.cluster.deploy("experts-1", 1)
    runtime = world.runtime()
    await runtime.scale("experts-1", 3)
    assert world.cluster.replicas("experts-1") == 3
    await runtime.scale("experts-1", 2)
    await runtime.scale("experts-1", 0)
    assert world.cluster.replicas("experts-1") == 3


async def test_what_cannot_be_is_told(world):
    world.cluster.deploy("experts-1")
    runtime = world.runtime()
    with pytest.raises(UnknownPart, match="'experts-9'"):
        await runtime.wake("experts-9")
    with pytest.raises(ScaleOutOfBounds, match="too many"):
        await runtime.scale("experts-1", 5000)
    with pytest.raises(ScaleOutOfBounds, match="-1 replicas"):
        await runtime.scale("experts-1", -1)


async def test_one_who_leaves_does_not_take_the_wake_with_him(world):
    world.cluster.deploy("experts-1")
    runtime = world.runtime()
    first = asyncio.create_task(runtime.wake("experts-1"))
    second = asyncio.create_task(runtime.wake("experts-1"))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert world.cluster.replicas("experts-1") == 1


async def test_wakes_are_counted(world):
    world.cluster.deploy("experts-1")
    runtime = world.runtime()
    await runtime.snapshot()
    await world.until_true(lambda: runtime.is_live)
    for _ in range(2):
        await runtime.wake("experts-1")
        await world.until(runtime, lambda parts: parts["experts-1"].desired == 1)
        world.cluster.deploy("experts-1", 0)
        await world.until(runtime, lambda parts: parts["experts-1"].desired == 0)
    assert (await runtime.snapshot()).parts["experts-1"].wakes == 2
