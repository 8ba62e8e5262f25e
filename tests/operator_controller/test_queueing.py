"""What is due is dealt with: once, by one worker at a time, later after errors."""

from __future__ import annotations

import asyncio

import pytest

from remoe_operator.controller.queue import Backoff, WorkQueue


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def queue(clock):
    return WorkQueue(
        backoff=Backoff(first_seconds=1, most_seconds=8), settle_seconds=0, clock=clock
    )


async def taken(queue):
    """A key that is due now, or None."""
    try:
        return await asyncio.wait_for(queue.take(), 0.05)
    except TimeoutError:
        return None


async def test_many_knocks_are_one_pass(queue):
    for _ in range(5):
        queue.add("a")
    assert await taken(queue) == "a"
    assert await taken(queue) is None


async def test_knock_during_a_pass_makes_another_after_it(queue):
    queue.add("a")
    await queue.take()
    queue.add("a")
    assert await taken(queue) is None
    queue.done("a")
    assert await taken(queue) == "a"


async def test_several_keys_are_in_hand_at_once(queue):
    queue.add("a")
    queue.add("b")
    assert {await taken(queue), await taken(queue)} == {"a", "b"}


async def test_later_becomes_sooner_and_not_the_other_way(queue, clock):
    queue.add("a", after_seconds=50)
    queue.add("a", after_seconds=2)
    queue.add("a", after_seconds=70)
    assert await taken(queue) is None
    clock.now = 2.5
    assert await taken(queue) == "a"
    queue.done("a")
    clock.now = 100.0
    assert await taken(queue) is None


async def test_errors_wait_longer_each_time_up_to_a_bound(queue, clock):
    waits = []
    for _ in range(6):
        queue.add("a")
        clock.now += 100.0
        await queue.take()
        waits.append(queue.failed("a"))
    assert waits == [1, 2, 4, 8, 8, 8]


async def test_success_forgets_errors(queue, clock):
    for _ in range(3):
        queue.add("a")
        clock.now += 100.0
        await queue.take()
        queue.failed("a")
    clock.now += 100.0
    await queue.take()
    queue.done("a")
    queue.add("a")
    await queue.take()
    assert queue.failed("a") == 1


async def test_waiting_worker_is_woken_by_a_knock(queue):
    waiting = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    queue.add("a")
    assert await asyncio.wait_for(waiting, 5) == "a"


async def test_burst_settles_before_it_is_dealt_with(clock):
    queue = WorkQueue(settle_seconds=0.5, clock=clock)
    queue.add("a")
    assert await taken(queue) is None
    clock.now = 0.6
    assert await taken(queue) == "a"


async def test_length_and_delay_are_of_what_is_due(queue, clock):
    queue.add("a")
    queue.add("b", after_seconds=100)
    clock.now = 7.0
    assert len(queue) == 1
    assert queue.overdue_seconds() == pytest.approx(7.0)
    queue.forget("a")
    assert len(queue) == 0


async def test_no_key_is_lost_or_in_two_hands_under_many_workers():
    queue, held, seen = WorkQueue(settle_seconds=0), set(), []

    async def worker():
        while True:
            key = await queue.take()
            assert key not in held
            held.add(key)
            await asyncio.sleep(0)
            seen.append(key)
            held.discard(key)
            queue.done(key)

    workers = [asyncio.create_task(worker()) for _ in range(4)]
    for number in range(200):
        queue.add(number % 7)
        if number % 5 == 0:
            await asyncio.sleep(0)
    while len(queue):
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)
    for task in workers:
        assert not task.done()
        task.cancel()
    assert set(seen) == set(range(7))


@pytest.mark.parametrize("bad", [(0, 1), (2, 1), (-1, 5)])
def test_backoff_that_makes_no_sense_is_refused(bad):
    with pytest.raises(ValueError, match="first <= most"):
        Backoff(first_seconds=bad[0], most_seconds=bad[1])
