import asyncio
import stat
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from remoe_functions.runtime.control_client import ControlClient
from remoe_functions.runtime.control_server import ControlServer
from remoe_functions.runtime.errors import RuntimeUnavailable, ScaleOutOfBounds, UnknownPart
from remoe_functions.runtime.readiness import wait_ready
from remoe_functions.runtime.state import Snapshot


@asynccontextmanager
async def served(world, *parts):
    path = world.folder / "control.sock"
    async with (
        world.runtime(*parts, refresh_seconds=0.2) as runtime,
        ControlServer(runtime, path),
        ControlClient(path) as client,
    ):
        yield runtime, client


async def test_a_part_is_woken_and_awaited_over_the_socket(world):
    async with served(world, world.part()) as (_, client):
        await asyncio.gather(*(client.wake("echo") for _ in range(50)))
        replica = await wait_ready(client, "echo", 15)
        assert replica.port == 4711
        assert world.starts("echo") == 1


async def test_both_ends_see_the_same_snapshot(world):
    async with served(world, world.part(), world.part("other")) as (runtime, client):
        await client.scale("other", 1)
        await wait_ready(client, "other", 15)
        near, far = await runtime.snapshot(), await client.snapshot()
        assert far.parts.keys() == near.parts.keys()
        assert far.parts["echo"] == near.parts["echo"]
        assert Snapshot.from_dict(far.to_dict()) == far


async def test_only_the_owner_may_open_the_socket(world):
    async with served(world, world.part()) as (_, client):
        assert stat.S_IMODE(client.path.stat().st_mode) == 0o600
    assert not client.path.exists()


@pytest.mark.parametrize("name", ["nobody", "a/b", "../parts", "x" * 300, "échó"])
async def test_an_unknown_part_is_refused_by_name(world, name):
    async with served(world, world.part()) as (_, client):
        with pytest.raises(UnknownPart) as caught:
            await client.wake(name)
        assert caught.value.name == name


async def test_scaling_out_of_bounds_is_refused_with_what_is_allowed(world):
    async with served(world, world.part()) as (_, client):
        with pytest.raises(ScaleOutOfBounds, match="may have 0 to 1 replicas, got 7"):
            await client.scale("echo", 7)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"replicas": true}', b'{"replicas": "1"}'])
async def test_a_malformed_scale_is_refused(world, body):
    async with served(world, world.part()) as (_, client):
        answer = await _put(client, body)
        assert (answer.status_code, "whole number" in answer.text) == (422, True)


async def test_an_oversized_scale_is_refused(world):
    async with served(world, world.part()) as (_, client):
        answer = await _put(client, b" " * 100_000)
        assert answer.status_code == 422
        assert "4096 bytes" in answer.text


async def test_a_watch_tells_the_present_and_then_every_change(world):
    async with served(world, world.part()) as (runtime, client):
        states = []
        async with asyncio.timeout(15), aclosing(client.watch()) as snapshots:
            async for snapshot in snapshots:
                part = snapshot.parts["echo"]
                states.append(tuple(replica.state.value for replica in part.replicas))
                if len(states) == 1:
                    await runtime.wake("echo")
                if part.ready:
                    break
        assert states[0] == ()
        assert ("starting",) in states
        assert states[-1] == ("ready",)


async def test_a_quiet_watch_repeats_itself(world):
    async with served(world, world.part()) as (_, client):
        async with asyncio.timeout(10), aclosing(client.watch()) as snapshots:
            first, second = await anext(snapshots), await anext(snapshots)
        assert first == second


async def test_the_client_survives_a_restart_of_the_server(world):
    path = world.folder / "control.sock"
    async with (
        asyncio.timeout(20),
        world.runtime(world.part()) as runtime,
        ControlClient(path) as client,
        aclosing(client.watch()) as snapshots,
    ):
        async with ControlServer(runtime, path):
            await anext(snapshots)
            await client.wake("echo")
        with pytest.raises(RuntimeUnavailable, match=r"control\.sock"):
            await client.wake("echo")
        async with ControlServer(runtime, path):
            await client.wake("echo")
            async for snapshot in snapshots:
                if snapshot.parts["echo"].ready:
                    break


async def test_without_a_server_every_call_is_refused_in_words(world):
    async with ControlClient(world.folder / "nothing.sock") as client:
        for call in (client.snapshot(), client.wake("echo"), client.scale("echo", 1)):
            with pytest.raises(RuntimeUnavailable, match="no answer from the runtime at"):
                await call


async def test_a_server_that_never_answers_is_given_up(world):
    path = world.folder / "mute.sock"
    mute = await asyncio.start_unix_server(lambda *_: asyncio.sleep(5), path)
    async with mute, ControlClient(path, timeout_seconds=0.2) as client:
        with pytest.raises(RuntimeUnavailable):
            await client.wake("echo")


async def test_many_watchers_leave_nothing_behind(world):
    async with served(world, world.part()) as (_, client):
        await client.snapshot()
        before = _descriptors()
        for _ in range(20):
            async with aclosing(client.watch()) as snapshots:
                await anext(snapshots)
        await world.until_true(lambda: _descriptors() <= before)


async def test_closing_the_runtime_ends_watches_at_the_other_end(world):
    path = world.folder / "control.sock"
    async with world.runtime(world.part()) as runtime, ControlServer(runtime, path):
        watching = httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(path)))
        async with watching, watching.stream("GET", "http://supervisor/watch") as answer:
            lines = answer.aiter_lines()
            await anext(lines)
            async with asyncio.timeout(10):
                await runtime.close()
                assert [line async for line in lines]


def test_without_its_variable_there_is_no_client(monkeypatch):
    monkeypatch.delenv("REMOE_CONTROL", raising=False)
    with pytest.raises(RuntimeUnavailable, match="REMOE_CONTROL is not set"):
        ControlClient.from_environment()


async def test_a_path_too_long_for_a_socket_is_refused(world):
    async with world.runtime() as runtime:
        with pytest.raises(ValueError, match="at most 100 bytes"):
            ControlServer(runtime, world.folder / ("x" * 120))


def _descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def _put(client, body):
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(client.path))) as raw:
        return await raw.put("http://supervisor/parts/echo/scale", content=body)
