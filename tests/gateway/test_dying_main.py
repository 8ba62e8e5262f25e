"""Main dies, hangs or fails in the middle of an answer: nothing is lost, and nothing hangs."""

import asyncio

import pytest

LONG = "hello world, how are you today? the quick brown fox 🦊"


@pytest.mark.parametrize("stream", [False, True])
async def test_answer_goes_on_where_main_died(world, stream):
    async with world() as w:
        w.answers(LONG, die_after=[3, 2])
        response = await w.chat(stream=stream, max_tokens=100)
        whole = w.main.answer
    assert response.status_code == 200
    assert [job["generated"] for job in w.main.jobs] == [[], whole[:3], whole[:5]]
    assert len({job["seed"] for job in w.main.jobs}) == 1
    if not stream:
        assert response.json()["choices"][0]["message"]["content"] == LONG
        assert response.json()["usage"]["remoe"]["resumed"] == 2
        assert response.json()["usage"]["completion_tokens"] == len(whole)


async def test_answer_goes_on_at_another_address_after_a_restart(world):
    async with world() as w:
        w.answers(LONG, die_after=[3], token_pause=0.005)
        asked = asyncio.create_task(w.chat())
        await w.until(lambda: w.main.jobs)
        w.runtime.main_gone()
        w.runtime.on_wake["main"] = lambda: w.runtime.main_ready(w.main.port)
        body = (await asked).json()
    assert body["choices"][0]["message"]["content"] == LONG


async def test_main_that_dies_on_every_attempt_is_given_up(world):
    async with world(limits={"max_resumes": 1}) as w:
        w.answers(LONG, die_after=[1, 1, 1, 1])
        response = await w.chat()
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "generation_failed"
    assert len(w.main.jobs) == 2


async def test_answer_that_lost_only_its_last_line_is_whole(world):
    async with world() as w:
        w.main.die_after = [len(w.main.answer)]
        body = (await w.chat(max_tokens=len(w.main.answer))).json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["remoe"]["complete"] is False
    assert len(w.main.jobs) == 1


async def test_silent_main_is_taken_for_dead(world):
    async with world(limits={"silence_seconds": 0.2, "max_resumes": 0}) as w:
        w.main.first_pause = 30
        response = await w.chat()
        await w.until(lambda: w.main.open_streams == 0)
    assert response.status_code >= 500


async def test_failure_told_by_main_is_told_to_the_client(world):
    async with world() as w:
        w.main.error_line = {"code": "internal_error", "message": "out of slots"}
        response = await w.chat()
    assert response.status_code == 500
    assert "out of slots" in response.json()["error"]["message"]


REFUSALS = {400: 400, 429: 429, 500: 500, 401: 500}


@pytest.mark.parametrize("status", REFUSALS)
async def test_refusal_by_main_keeps_its_meaning(world, status):
    async with world() as w:
        w.main.refusals = [(status, {"code": "x", "message": "because"})]
        response = await w.chat()
    assert response.status_code == REFUSALS[status]
    assert "because" in response.json()["error"]["message"]


async def test_context_too_long_for_main_keeps_its_code(world):
    async with world() as w:
        w.main.refusals = [(400, {"code": "context_length_exceeded", "message": "too long"})]
        response = await w.chat()
    assert response.json()["error"]["code"] == "context_length_exceeded"


async def test_main_that_cannot_be_reached_is_tried_until_time_is_up(world):
    async with world(limits={"held_wait_seconds": 0.3}) as w:
        w.runtime.main_ready(1)
        response = await w.chat()
    assert response.status_code == 503


async def test_failing_choice_ends_the_others(world):
    async with world() as w:
        w.answers(LONG, token_pause=0.02)
        w.main.refusals = [(500, {"code": "x", "message": "broken"})]
        response = await w.chat(n=3)
        await w.until(lambda: w.main.open_streams == 0)
    assert response.status_code == 500
    assert "broken" in response.json()["error"]["message"]
