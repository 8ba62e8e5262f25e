"""A service under load while its processes die, one kind at a time."""

import asyncio
import os
import signal

import openai
import psutil
import pytest

from remoe_functions.runtime.readiness import wait_ready

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
TOKENS = 250


@pytest.fixture
async def busy(service):
    """A service whose functions are awake, and the answer it gives when nothing is wrong."""
    await service.until_ready("gateway", "main")
    await service.answering()
    for name in ("experts-0", "experts-1"):
        await service.control.wake(name)
    await service.until_ready("experts-0", "experts-1")
    service.expected = (await service.complete(TOKENS)).choices[0].text
    return service


async def _kill_under_load(service, victim, requests=6):
    """Kills a part amid requests; returns what became of those before and those after."""
    before = [asyncio.create_task(service.complete(TOKENS)) for _ in range(requests)]
    await asyncio.sleep(0.4)
    os.kill(service.pid_of(victim), signal.SIGKILL)
    assert not any(request.done() for request in before)
    # Connections of its own: one kept open to a killed gateway is nobody's to save.
    async with service.client() as newcomer, asyncio.timeout(120):
        after = [service.complete(TOKENS, client=newcomer) for _ in range(requests)]
        waves = [asyncio.gather(*wave, return_exceptions=True) for wave in (before, after)]
        return [await wave for wave in waves]


def _text(answer):
    """The text of an answer; an error as it is, so that it shows."""
    return answer if isinstance(answer, Exception) else answer.choices[0].text


async def test_the_service_heals_from_each_process_killed_in_turn(busy):
    for victim in ("experts-0", "main", "experts-1"):
        waves = await _kill_under_load(busy, victim)
        assert [_text(answer) for wave in waves for answer in wave] == [busy.expected] * 12, victim
        await wait_ready(busy.control, victim, 60)
    before, after = await _kill_under_load(busy, "gateway")
    assert all(isinstance(answer, openai.APIConnectionError) for answer in before)
    assert [_text(answer) for answer in after] == [busy.expected] * 6
    assert (await busy.complete(TOKENS)).choices[0].text == busy.expected
    parts = (await busy.control.snapshot()).parts
    assert {name: part.restarts for name, part in parts.items()} == dict.fromkeys(parts, 1)


async def test_no_orphan_survives_a_killed_supervisor(busy):
    children = busy.children()
    assert len(children) == 4
    os.kill(busy.process.pid, signal.SIGKILL)
    await busy.process.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, children, timeout=10)
    assert alive == []


async def test_nobody_new_is_kept_waiting_once_the_service_stops(busy):
    stream = await busy.complete(3000, stream=True)
    await anext(stream)
    stopping = asyncio.create_task(busy.stop(seconds=60))
    async with asyncio.timeout(20), busy.client() as newcomer:
        await busy.refuses_connections()
        with pytest.raises(openai.APIConnectionError):
            await busy.complete(1, client=newcomer)
    assert not stopping.done()
    await stream.close()
    assert await stopping == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stream_ends_properly_when_the_service_is_told_to_stop(busy, number):
    children = busy.children()
    stream = await busy.complete(256, stream=True)
    chunks = [await anext(stream)]
    stopping = asyncio.create_task(busy.stop(number))
    async with asyncio.timeout(60):
        chunks += [chunk async for chunk in stream]
    assert chunks[-1].choices[0].finish_reason == "length"
    assert await stopping == 0
    assert [child for child in children if child.is_running()] == []


async def test_a_second_signal_stops_at_once(busy):
    children = busy.children()
    stream = await busy.complete(3000, stream=True)
    await anext(stream)
    busy.process.send_signal(signal.SIGINT)
    await asyncio.sleep(0.3)
    assert await busy.stop(signal.SIGINT, seconds=5) == 0
    assert [child for child in children if child.is_running()] == []
    await stream.close()
