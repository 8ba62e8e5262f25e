"""Snapshots follow the cluster: replicas come and go, watches end, the API server too."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from runtime_kubernetes.fake_cluster import endpoint, seen

from remoe_functions.runtime.errors import PartNotReady, RuntimeUnavailable
from remoe_functions.runtime.readiness import wait_ready
from remoe_functions.runtime.runtime import Runtime
from remoe_functions.runtime.state import PartKind

READY = [("p", "ready", "10.0.0.1:9000")]


def replicas(parts, part="experts-1"):
    return seen(parts[part])


async def test_it_is_a_runtime(world):
    assert isinstance(world.runtime(), Runtime)


async def test_replica_starts_takes_work_and_leaves(world):
    runtime = world.runtime()
    world.cluster.deploy("experts-1", 1)
    world.cluster.pod("p")
    world.cluster.slice("experts-1", endpoint("p", ready=False))
    await world.until(runtime, lambda parts: replicas(parts) == [("p", "starting", None)])
    world.cluster.slice("experts-1", endpoint("p"))
    await world.until(runtime, lambda parts: replicas(parts) == READY)
    world.cluster.slice("experts-1", endpoint("p", ready=False, serving=True, terminating=True))
    await world.until(runtime, lambda parts: replicas(parts) == [("p", "starting", None)])
    world.cluster.pod("p", leaving=True)
    await world.until(runtime, lambda parts: replicas(parts) == [("p", "draining", None)])
    world.cluster.delete("pods", "p")
    await world.until(runtime, lambda parts: replicas(parts) == [])


async def test_pod_on_its_way_out_takes_no_work_whatever_its_slice_still_says(world):
    runtime = world.runtime()
    world.cluster.deploy("experts-1", 1)
    world.cluster.pod("p", leaving=True)
    world.cluster.slice("experts-1", endpoint("p"))
    await world.until(runtime, lambda parts: replicas(parts) == [("p", "draining", None)])


async def test_replica_is_called_before_its_pod_is_heard_of(world):
    runtime = world.runtime()
    world.cluster.deploy("experts-1", 1)
    world.cluster.slice("experts-1", endpoint("p"))
    await world.until(runtime, lambda parts: replicas(parts) == READY)


async def test_main_is_reached_at_its_http_port_and_functions_at_their_calls_port(world):
    runtime = world.runtime()
    for part, ports in (("main", [("http", 8000)]), ("experts-1", [("http", 1), ("calls", 2)])):
        world.cluster.deploy(part, 1)
        world.cluster.slice(part, endpoint("p"), ports=ports)
    snapshot = await world.until(
        runtime, lambda parts: len(parts) == 2 and all(p.awake for p in parts.values())
    )
    assert replicas(snapshot.parts, "main") == [("p", "ready", "10.0.0.1:8000")]
    assert replicas(snapshot.parts) == [("p", "ready", "10.0.0.1:2")]
    assert snapshot.parts["main"].kind is PartKind.MAIN
    assert snapshot.parts["experts-1"].kind is PartKind.FUNCTION


async def test_replica_of_two_families_is_one_replica(world):
    runtime = world.runtime()
    world.cluster.deploy("experts-1", 1)
    world.cluster.slice("experts-1", endpoint("p"), name="a")
    world.cluster.slice("experts-1", endpoint("p", "fd00::1"), name="b", addressType="IPv6")
    world.cluster.slice("experts-1", endpoint("p", "x.example"), name="c", addressType="FQDN")
    await world.until(runtime, lambda parts: replicas(parts) == READY)


async def test_functions_of_another_plan_and_parts_of_another_service_are_not_ours(world):
    runtime = world.runtime()
    world.cluster.deploy("main", 1)
    world.cluster.deploy("experts-1", 1)
    world.cluster.deploy("experts-1", 7, plan="ffffffff")
    world.cluster.deploy("experts-2", 1, plan="ffffffff")
    world.cluster.deploy("main", 5, service="other")
    parts = (await runtime.snapshot()).parts
    assert {name: part.desired for name, part in parts.items()} == {"main": 1, "experts-1": 1}


async def test_deployment_that_goes_is_gone(world):
    runtime = world.runtime()
    world.cluster.deploy("main", 1)
    await world.until(runtime, lambda parts: "main" in parts)
    world.cluster.delete("deployments", "demo-main")
    await world.until(runtime, lambda parts: not parts)


async def test_changes_too_old_to_be_told_are_listed_anew(world):
    runtime = world.runtime()
    world.cluster.deploy("experts-1", 0)
    await world.until(runtime, lambda parts: "experts-1" in parts)
    await world.until_true(lambda: world.cluster.count("WATCH") == 3)
    # Nothing is heard of what happens until the watch begins anew, and then it is too late.
    world.cluster.cut()
    world.cluster.objects["deployments"]["demo-0123abcd-experts-1"]["spec"]["replicas"] = 2
    world.cluster.version += 50
    world.cluster.forget()
    await world.until(runtime, lambda parts: parts["experts-1"].desired == 2)
    assert world.cluster.count("GET", "/deployments") == 2


async def test_watch_that_ended_goes_on_without_a_new_list(world):
    runtime = world.runtime()
    world.cluster.deploy("experts-1", 0)
    await world.until(runtime, lambda parts: "experts-1" in parts)
    await world.until_true(lambda: world.cluster.count("WATCH") == 3)
    world.cluster.cut()
    world.cluster.deploy("experts-1", 2)
    await world.until(runtime, lambda parts: parts["experts-1"].desired == 2)
    assert world.cluster.count("GET", "/deployments") == 1


async def test_last_word_stands_while_the_api_server_is_away(world):
    elsewhere = type(world)()
    async with elsewhere.cluster.serving() as cluster:
        cluster.deploy("experts-1", 1)
        cluster.slice("experts-1", endpoint("p"))
        runtime = elsewhere.runtime()
        await elsewhere.until(runtime, lambda parts: replicas(parts) == READY)
    await elsewhere.until_true(lambda: not runtime.is_live)
    with pytest.raises(RuntimeUnavailable, match="no answer from the API server"):
        await runtime.scale("experts-1", 2)
    assert replicas((await runtime.snapshot()).parts) == READY
    async with aclosing(runtime.watch()) as snapshots:
        for _ in range(3):
            assert replicas((await anext(snapshots)).parts) == READY
    cluster.deploy("experts-1", 2)
    async with cluster.serving():
        await elsewhere.until(runtime, lambda parts: parts["experts-1"].desired == 2)
        await elsewhere.until_true(lambda: runtime.is_live)
        await runtime.scale("experts-1", 3)
        assert cluster.replicas("experts-1") == 3
        await runtime.aclose()


async def test_api_server_that_errs_for_a_while_is_asked_again_with_pauses(world):
    runtime = world.runtime()
    world.cluster.broken = True
    world.cluster.deploy("experts-1", 1)
    with pytest.raises(PartNotReady, match="no replica within"):
        await wait_ready(runtime, "experts-1", 0.6)
    assert world.cluster.count("GET", "/deployments") < 8
    world.cluster.broken = False
    await world.until(runtime, lambda parts: parts["experts-1"].desired == 1)


async def test_parts_can_be_called_where_pods_may_not_be_seen(world, caplog):
    del world.cluster.objects["pods"]  # an error of the server's own
    world.cluster.deploy("experts-1", 1)
    world.cluster.slice("experts-1", endpoint("p"))
    await world.until(world.runtime(), lambda parts: replicas(parts) == READY)


async def test_object_of_an_unforeseen_form_does_not_end_the_watch(world):
    runtime = world.runtime()
    world.cluster.deploy("experts-1", 1)
    await world.until(runtime, lambda parts: "experts-1" in parts)
    world.cluster.pod("strange", creationTimestamp=3, conditions="none")
    world.cluster.delete("pods", "strange")
    world.cluster.pod("p")
    await world.until(runtime, lambda parts: replicas(parts) == [("p", "starting", None)])


async def test_nothing_new_is_not_told_before_its_time(world):
    runtime = world.runtime(refresh_seconds=60)
    world.cluster.deploy("experts-1", 1)
    async with aclosing(runtime.watch()) as snapshots:
        await anext(snapshots)
        for _ in range(5):
            world.cluster.deploy("experts-1", 1, observedGeneration=3)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(snapshots), 0.5)


async def test_close_ends_watches_and_nobody_is_asked_any_more(world):
    runtime = world.runtime()
    world.cluster.deploy("experts-1")
    async with aclosing(runtime.watch()) as snapshots:
        await anext(snapshots)
        await runtime.aclose()
        assert [snapshot async for snapshot in snapshots] == []
    with pytest.raises(RuntimeUnavailable, match="closed"):
        await runtime.scale("experts-1", 2)


async def test_memory_is_what_pods_request_once_a_node_has_them(world):
    runtime = world.runtime()
    world.cluster.deploy("experts-1", 2)
    containers = [{"resources": {"requests": {"memory": "512Mi"}}}, {}]
    world.cluster.pod("a", spec={"nodeName": "n", "containers": containers})
    world.cluster.pod("b", spec={"containers": containers})
    snapshot = await world.until(runtime, lambda parts: len(parts["experts-1"].replicas) == 2)
    assert snapshot.parts["experts-1"].memory_bytes == 512 << 20
    later = await world.until(runtime, lambda parts: parts["experts-1"].awake_seconds > 0.2)
    assert later.parts["experts-1"].awake_seconds < 5
