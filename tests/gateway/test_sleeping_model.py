"""A model that sleeps, loads, or never comes up: requests are held, within bounds."""

import asyncio
from dataclasses import replace

from remoe_functions.runtime.state import ReplicaState


async def test_request_wakes_a_sleeping_model_and_is_served(world):
    async with world(asleep=True) as w:
        w.runtime.on_wake["main"] = lambda: w.runtime.main_ready(w.main.port)
        response = await w.chat()
    assert response.status_code == 200
    assert w.runtime.wakes == ["main"]


async def test_herd_causes_one_wake(world):
    async with world(asleep=True) as w:
        asked = [asyncio.create_task(w.chat()) for _ in range(20)]
        await w.until(lambda: w.service.door.held == 20)
        w.runtime.main_ready(w.main.port)
        answers = await asyncio.gather(*asked)
    assert [answer.status_code for answer in answers] == [200] * 20
    assert w.runtime.wakes == ["main"]
    assert await w.metric("remoe:wakes_total", part="main") == 1


async def test_held_requests_are_counted(world):
    async with world(asleep=True) as w:
        asked = asyncio.create_task(w.chat())
        await w.until(lambda: w.service.door.held == 1)
        assert await w.metric("vllm:num_requests_waiting") == 1
        w.runtime.main_ready(w.main.port)
        body = (await asked).json()
        assert await w.metric("vllm:num_requests_waiting") == 0
    assert body["usage"]["remoe"]["held_seconds"] > 0


async def test_no_more_are_held_than_allowed(world):
    async with world(asleep=True, limits={"max_held": 2}) as w:
        held = [asyncio.create_task(w.chat()) for _ in range(2)]
        await w.until(lambda: w.service.door.held == 2)
        refused = await w.chat(stream=True)
        w.runtime.main_ready(w.main.port)
        assert [r.status_code for r in await asyncio.gather(*held)] == [200, 200]
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0


async def test_wait_ends_with_a_reason_when_the_model_does_not_come_up(world):
    async with world(asleep=True, limits={"held_wait_seconds": 0.3}) as w:
        w.runtime.update("main", last_failure="out of memory")
        response = await w.chat()
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert "out of memory" in response.json()["error"]["message"]


async def test_model_that_fails_again_and_again_is_not_waited_for(world):
    async with world(asleep=True, limits={"held_wait_seconds": 60}) as w:
        asked = asyncio.create_task(w.chat())
        await w.until(lambda: w.runtime.wakes)
        w.runtime.update("main", restarts=6, last_failure="crashed")
        assert (await asyncio.wait_for(asked, 5)).status_code == 503


async def test_held_stream_gets_comments_and_then_its_answer(world):
    async with world(asleep=True, limits={"keep_alive_seconds": 0.05}) as w:
        asked = asyncio.create_task(w.chat(stream=True))
        await asyncio.sleep(0.3)
        w.runtime.main_ready(w.main.port)
        response = await asked
    assert response.status_code == 200
    assert response.text.startswith(": keep-alive\n\n")
    assert response.text.endswith("data: [DONE]\n\n")


async def test_error_after_the_first_byte_is_an_event(world):
    limits = {"keep_alive_seconds": 0.05, "held_wait_seconds": 0.3}
    async with world(asleep=True, limits=limits) as w:
        response = await w.chat(stream=True)
    assert response.status_code == 200
    error, done = [x for x in response.text.split("\n\n") if x.startswith("data: ")]
    assert '"code":"model_not_ready"' in error
    assert done == "data: [DONE]"


async def test_error_before_the_first_byte_is_a_status(world):
    async with world(asleep=True, limits={"held_wait_seconds": 0.2}) as w:
        response = await w.chat(stream=True)
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/json"


async def test_held_client_that_leaves_frees_its_place(world):
    async with world(asleep=True) as w:
        door = w.service.door
        asked = asyncio.create_task(w.chat())
        await w.until(lambda: door.held == 1)
        asked.cancel()
        await w.until(lambda: door.held == 0)


async def test_main_put_to_sleep_in_the_last_moment_is_woken_again(world):
    async with world() as w:
        w.main.refusals = [(503, {"code": "draining", "message": "going to sleep"})]
        w.runtime.on_wake["main"] = lambda: w.runtime.main_ready(w.main.port)
        asked = asyncio.create_task(w.chat())
        await w.until(lambda: w.main.jobs)
        w.runtime.main_gone()
        response = await asked
    assert response.status_code == 200
    assert len(w.main.jobs) == 2
    assert w.runtime.wakes == ["main"]


async def test_unreachable_runtime_is_tried_again(world):
    async with world(asleep=True) as w:
        w.runtime.unavailable = True
        w.runtime.on_wake["main"] = lambda: w.runtime.main_ready(w.main.port)
        asked = asyncio.create_task(w.chat())
        await asyncio.sleep(0.1)
        w.runtime.unavailable = False
        assert (await asked).status_code == 200


async def test_starting_replica_takes_no_work(world):
    async with world() as w:
        door = w.service.door
        (replica,) = w.runtime.parts["main"].replicas
        w.runtime.update("main", replicas=(replace(replica, state=ReplicaState.STARTING),))
        await w.until(lambda: not door.is_ready)
        asked = asyncio.create_task(w.chat())
        await w.until(lambda: door.held == 1)
        w.runtime.main_ready(w.main.port)
        assert (await asked).status_code == 200


async def test_sleeping_model_is_ready_to_be_asked(world):
    async with world(asleep=True) as w:
        response = await w.get("/ready")
    assert (response.status_code, response.json()["models_awake"]) == (200, {"tiny": False})


async def test_more_than_may_run_are_refused(world):
    async with world(limits={"max_running": 1}) as w:
        w.main.first_pause = 5
        first = asyncio.create_task(w.chat())
        await w.until(lambda: w.main.jobs)
        second = await w.chat()
        first.cancel()
    assert second.status_code == 429
    assert int(second.headers["retry-after"]) > 0
