"""Several ready replicas of main: work is spread, and one that fails or is full is passed over."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from gateway.fake_main import FakeMain

from remoe_functions.gateway.replica_load import COOLING_SECONDS, ReplicaLoad
from remoe_functions.runtime.state import Replica, ReplicaState

LONG = "hello world, how are you today? the quick brown fox"
FULL = (429, {"code": "overloaded", "message": "the queue is full"})


def replica(name, port=None):
    return Replica(id=name, state=ReplicaState.READY, host="127.0.0.1", port=port)


@asynccontextmanager
async def mains(world, count, **options):
    """A world whose main model has so many replicas."""
    async with AsyncExitStack() as stack:
        w = await stack.enter_async_context(world(**options))
        more = [await stack.enter_async_context(FakeMain().serve()) for _ in range(count - 1)]
        w.all = [w.main, *more]
        for main in w.all:
            main.answer = w.tokenizer.encode(LONG, add_special_tokens=False)
        replicas = tuple(replica(f"main-{i}", main.port) for i, main in enumerate(w.all))
        w.runtime.update("main", desired=count, replicas=replicas)
        await w.until(lambda: len(w.entry.parts.parts["main"].ready) == count)
        yield w


async def test_requests_one_after_another_go_around(world):
    async with mains(world, 3) as w:
        for _ in range(6):
            assert (await w.chat()).status_code == 200
    assert [len(main.jobs) for main in w.all] == [2, 2, 2]


async def test_herd_is_spread_evenly(world):
    async with mains(world, 3) as w:
        for main in w.all:
            main.first_pause = 0.2
        answers = await asyncio.gather(*(w.chat() for _ in range(30)))
    assert {answer.status_code for answer in answers} == {200}
    assert [len(main.jobs) for main in w.all] == [10, 10, 10]


async def test_herd_held_for_a_sleeping_model_is_spread_evenly(world):
    async with mains(world, 3) as w:
        replicas = w.runtime.parts["main"].replicas
        w.runtime.main_gone()
        await w.until(lambda: not w.service.door.is_ready)
        asked = [asyncio.create_task(w.chat()) for _ in range(12)]
        await w.until(lambda: w.service.door.held == 12)
        w.runtime.update("main", desired=3, replicas=replicas)
        await asyncio.gather(*asked)
    assert [len(main.jobs) for main in w.all] == [4, 4, 4]


async def test_busy_replica_is_passed_over(world):
    async with mains(world, 2) as w:
        w.main.first_pause = 5
        slow = asyncio.create_task(w.chat())
        await w.until(lambda: w.main.jobs)
        for _ in range(4):
            await w.chat()
        slow.cancel()
        await w.until(lambda: not w.service.door.load.running("main-0"))
    assert [len(main.jobs) for main in w.all] == [1, 4]


async def test_replica_that_cannot_be_reached_fails_nobody_and_is_passed_over(world):
    async with mains(world, 2) as w:
        dead, alive = w.runtime.parts["main"].replicas
        w.runtime.update("main", replicas=(replica("main-0", 1), alive))
        await w.until(lambda: w.entry.parts.parts["main"].ready[0].port == 1)
        answers = [await w.chat() for _ in range(6)]
    assert {answer.status_code for answer in answers} == {200}
    assert dead.port == w.main.port
    assert len(w.all[1].jobs) == 6


async def test_answer_goes_on_at_another_replica_at_once(world):
    async with mains(world, 2) as w:
        for main in w.all:
            main.die_after = [3]
        body = (await w.chat(max_tokens=100)).json()
    assert body["choices"][0]["message"]["content"] == LONG
    assert body["usage"]["remoe"]["resumed"] == 2
    assert sorted(len(main.jobs) for main in w.all) == [1, 2]


async def test_full_replica_is_no_reason_to_refuse_while_another_has_room(world):
    async with mains(world, 2) as w:
        w.main.refusals = [FULL] * 4
        answers = [await w.chat() for _ in range(4)]
    assert {answer.status_code for answer in answers} == {200}


async def test_request_is_refused_when_every_replica_is_full(world):
    async with mains(world, 2) as w:
        for main in w.all:
            main.refusals = [FULL]
        answer = await w.chat()
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert [len(main.jobs) for main in w.all] == [1, 1]


async def test_nothing_stays_counted(world):
    async with mains(world, 2) as w:
        w.main.error_line = {"code": "internal_error", "message": "out of slots"}
        await asyncio.gather(*(w.chat(n=2, stream=stream) for stream in (True, False) * 4))
        load = w.service.door.load
        assert [load.running(f"main-{i}") for i in range(2)] == [0, 0]
        assert not load._running


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_failed_replica_is_chosen_again_after_a_while(clock):
    load, both = ReplicaLoad(clock), [replica("a"), replica("b")]
    load.failed("a")
    with load.taking("b"), load.taking("b"):
        assert load.choose(both).id == "b"
        clock.now += COOLING_SECONDS
        assert load.choose(both).id == "a"


def test_failed_replica_is_better_than_none(clock):
    load = ReplicaLoad(clock)
    load.failed("a")
    assert load.choose([replica("a")]).id == "a"
    assert load.choose([]) is None


def test_replica_that_answers_has_not_failed(clock):
    load, both = ReplicaLoad(clock), [replica("a"), replica("b")]
    load.failed("a")
    load.answered("a")
    with load.taking("b"):
        assert load.choose(both).id == "a"


def test_replicas_that_come_and_go_are_forgotten(clock):
    load = ReplicaLoad(clock)
    for number in range(1000):
        load.failed(f"r{number}")
        with load.taking(f"r{number}"):
            pass
    assert len(load._turns) + len(load._failed_at) + len(load._running) < 1000
