"""The end of a gateway: streams in flight finish, or end properly when their time is up."""

import asyncio

import httpx

LONG = "hello world, how are you today? the quick brown fox"


async def test_stream_in_flight_finishes_within_the_budget(world):
    async with world(limits={"drain_seconds": 5}) as w:
        w.answers(LONG, token_pause=0.01)
        asked = asyncio.create_task(w.chat(stream=True))
        await w.until(lambda: w.main.open_streams == 1)
        w.gateway.drain.begin()
        response = await asked
    assert '"finish_reason":"stop"' in response.text
    assert response.text.endswith("data: [DONE]\n\n")


async def test_stream_that_takes_too_long_ends_with_an_error_event_and_done(world):
    async with world(limits={"drain_seconds": 0.2}) as w:
        w.answers(LONG, token_pause=0.5)
        asked = asyncio.create_task(w.chat(stream=True))
        await w.until(lambda: w.main.open_streams == 1)
        w.gateway.drain.begin()
        response = await asked
        await w.until(lambda: w.main.open_streams == 0)
    *_, error, done, _ = response.text.split("\n\n")
    assert '"code":"shutting_down"' in error
    assert done == "data: [DONE]"


async def test_whole_answer_that_takes_too_long_is_unavailable(world):
    async with world(limits={"drain_seconds": 0.2}) as w:
        w.answers(LONG, token_pause=0.5)
        asked = asyncio.create_task(w.chat())
        await w.until(lambda: w.main.open_streams == 1)
        w.gateway.drain.begin()
        response = await asked
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "shutting_down"


async def test_nothing_new_is_taken_once_draining_began(world):
    async with world() as w:
        w.gateway.drain.begin()
        w.gateway.drain.begin()
        assert (await w.chat()).status_code == 503
        assert (await w.get("/ready")).status_code == 503
        assert (await w.get("/health")).status_code == 200
        assert w.main.jobs == []


async def test_gateway_that_leaves_says_so_and_serves_on_for_a_while(world):
    async with world(limits={"lame_duck_seconds": 0.3}) as w:
        w.server.exit_soon()
        assert (await w.get("/ready")).status_code == 503
        assert (await w.get("/health")).status_code == 200
        assert (await w.chat()).status_code == 200
        assert not w.server.should_exit
        await w.until(lambda: w.server.should_exit)
        assert (await w.chat()).status_code == 503


async def test_gateway_told_twice_to_leave_waits_no_longer(world):
    async with world(limits={"lame_duck_seconds": 3600}) as w:
        w.server.exit_soon()
        w.server.exit_soon()
        assert w.server.should_exit
        assert (await w.chat()).status_code == 503


async def test_connections_are_closed_with_their_answers_while_the_gateway_leaves(world):
    body = {"model": "tiny", "prompt": "hello"}
    async with world(limits={"lame_duck_seconds": 3600}) as w:
        w.main.first_pause = 0.3
        async with httpx.AsyncClient(base_url=w.url, timeout=30, trust_env=False) as http:
            before = await http.get("/health")
            under_way = asyncio.create_task(http.post("/v1/completions", json=body))
            await w.until(lambda: w.main.jobs)
            w.server.exit_soon()
            answers = [await under_way, await http.get("/health"), await http.get("/health")]
        await w.until(lambda: not w.server.server_state.connections)
    assert "connection" not in before.headers
    assert [answer.status_code for answer in answers] == [200] * 3
    assert [answer.headers["connection"] for answer in answers] == ["close"] * 3
