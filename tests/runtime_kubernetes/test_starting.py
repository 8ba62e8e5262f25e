"""How long a start took, by phase: seen from outside, noted by the cluster, told by the process."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runtime_kubernetes.fake_cluster import endpoint

from remoe_functions.runtime.kubernetes.phases import Seen, Told, start_phases
from remoe_functions.runtime.kubernetes.pod import Pod, memory_bytes_of

AT = "2026-01-01T00:00:{:02d}Z"
SECONDS = st.floats(0, 100)


def stations(scheduled=1, networked=3, running=6, ready=9):
    """A pod's status that passed its stations at these seconds."""
    at = {"PodScheduled": scheduled, "PodReadyToStartContainers": networked, "Ready": ready}
    conditions = [
        {"type": name, "status": "True", "lastTransitionTime": AT.format(second)}
        for name, second in at.items()
    ]
    state = {"running": {"startedAt": AT.format(running)}}
    return {"conditions": conditions, "containerStatuses": [{"state": state, "ready": True}]}


def spec(port=None):
    ports = [] if port is None else [{"name": "http", "containerPort": port}]
    return {"nodeName": "n", "containers": [{"ports": ports}]}


@contextlib.asynccontextmanager
async def process(body, status="200 OK"):
    """A process that answers everything with `body`; gives its port and counts who asked."""
    asked = []

    async def answer(reader, writer):
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        data = json.dumps(body).encode()
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


async def started(world, runtime, port):
    world.cluster.deploy("experts-1", 1)
    world.cluster.pod("p", spec=spec(port), **stations())
    world.cluster.slice("experts-1", endpoint("p", "127.0.0.1"))
    snapshot = await world.until(runtime, lambda parts: parts["experts-1"].awake)
    return snapshot.parts["experts-1"].ready[0]


async def test_process_is_asked_once_how_its_start_went(world):
    runtime = world.runtime()
    async with process({"phases": {"imports": 0.5, "map": 1.5}}) as (port, asked):
        await started(world, runtime, port)
        snapshot = await world.until(
            runtime, lambda parts: "map" in parts["experts-1"].ready[0].phases
        )
        world.cluster.pod("p", spec=spec(port), **stations())
        await world.until(runtime, lambda parts: parts["experts-1"].awake_seconds > 0.3)
    assert len(asked) == 1
    assert asked[0].startswith(b"GET /activity ")
    assert b"uthorization" not in asked[0]
    phases = snapshot.parts["experts-1"].ready[0].phases
    assert phases == {
        "schedule": 1,
        "sandbox": 2,
        "image": 3,
        "imports": 0.5,
        "map": 1.5,
        "probe": 1,
    }


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, "404 Not Found"),
        ("text", "200 OK"),
        ({"phases": 3}, "200 OK"),
        ({"phases": {"map": "long"}}, "200 OK"),
    ],
)
async def test_answer_of_another_form_changes_nothing(world, body, status):
    runtime = world.runtime()
    async with process(body, status) as (port, asked):
        await started(world, runtime, port)
        await world.until_true(lambda: asked)
        replica = (await runtime.snapshot()).parts["experts-1"].ready[0]
    assert replica.phases == {"schedule": 1, "sandbox": 2, "image": 3, "process": 3}
    assert replica.startup_seconds == 9


async def test_process_that_was_ready_a_while_tells_how_late_the_probe_was(world):
    runtime = world.runtime()
    async with process({"phases": {"map": 1}, "idle_seconds": 1.5}) as (port, _):
        await started(world, runtime, port)
        snapshot = await world.until(
            runtime, lambda parts: "map" in parts["experts-1"].ready[0].phases
        )
    replica = snapshot.parts["experts-1"].ready[0]
    assert replica.phases["probe"] == pytest.approx(1.5, abs=1)
    assert replica.phases["probe"] <= 1.5
    assert replica.startup_seconds == pytest.approx(9)


async def test_runtime_that_does_not_care_asks_nobody(world):
    runtime = world.runtime(asks_for_phases=False)
    async with process({"phases": {"map": 1}}) as (port, asked):
        await started(world, runtime, port)
        await world.until(runtime, lambda parts: parts["experts-1"].awake_seconds > 0.2)
    assert not asked


async def test_replica_that_was_unready_for_a_while_did_not_start_longer(world):
    runtime = world.runtime()
    first = await started(world, runtime, None)
    world.cluster.pod("p", spec=spec(), **stations(ready=55))
    world.cluster.slice("experts-1", endpoint("p", "10.0.0.2"))
    snapshot = await world.until(
        runtime, lambda parts: parts["experts-1"].ready[0].host == "10.0.0.2"
    )
    assert snapshot.parts["experts-1"].ready[0].phases == first.phases


async def test_start_that_was_watched_is_told_to_the_fraction_of_a_second(world):
    now = [10.0]
    runtime = world.runtime(clock=lambda: now[0])
    world.cluster.deploy("experts-1", 1)
    await world.until(runtime, lambda parts: "experts-1" in parts)
    world.cluster.pod("p")
    await world.until(runtime, lambda parts: parts["experts-1"].replicas)
    now[0] = 10.25
    world.cluster.pod("p", spec=spec(), **stations() | {"containerStatuses": []})
    await world.until(runtime, lambda parts: parts["experts-1"].replicas[0].phases)
    now[0] = 15.0
    replica = await started(world, runtime, None)
    assert replica.phases["schedule"] == 0.25
    assert replica.startup_seconds == pytest.approx(5.0)


@given(
    sandbox=SECONDS,
    image=SECONDS,
    up=SECONDS,
    own=st.lists(SECONDS, max_size=3),
    schedule=SECONDS,
    more=SECONDS,
    late=st.none() | SECONDS,
)
def test_phases_add_up_to_what_was_seen_and_none_is_negative(
    sandbox, image, up, own, schedule, more, late
):
    seen = Seen(schedule_seconds=schedule, total_seconds=schedule + sum(own) + more)
    waits = {"schedule": 1.0, "sandbox": sandbox, "image": image}
    pod = Pod(name="p", part="f", created_at="", waits=waits, up_seconds=up)
    told = Told(phases={f"own-{i}": s for i, s in enumerate(own)}, late_seconds=late)
    phases = start_phases(pod, seen, told)
    assert min(phases.values()) >= 0
    assert sum(phases.values()) == pytest.approx(seen.total_seconds, abs=1e-6)
    if late is not None:
        assert phases["probe"] == pytest.approx(min(late, more), abs=1e-6)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0", 0),
        ("1", 1),
        ("128974848", 128974848),
        ("129e6", 129_000_000),
        ("129M", 129_000_000),
        ("123Mi", 123 << 20),
        ("1.5Gi", 3 << 29),
        ("2Ti", 2 << 40),
        ("1000m", 1),
        ("1k", 1000),
        ("much", 0),
    ],
)
def test_quantities_are_read_as_kubernetes_writes_them(text, found):
    assert memory_bytes_of(text) == found
