"""From a knock to a pass: keys, the gateway's share, errors, resyncs."""

from __future__ import annotations

import asyncio

import pytest
from builders.service_world import NAMESPACE, World, pod

from remoe_operator.cluster.objects import Objects
from remoe_operator.controller.keys import Key, key_of
from remoe_operator.controller.metrics import Metrics
from remoe_operator.controller.pulse import Pulse
from remoe_operator.controller.queue import Backoff, WorkQueue
from remoe_operator.controller.working import Work
from remoe_operator.scaling.scaler import Scaler

CHAT, GATEWAY = Key(NAMESPACE, "chat"), Key(NAMESPACE)


class Working:
    """An operator at work on a world, step by step."""

    def __init__(self):
        self.world = World()
        self.queue = WorkQueue(settle_seconds=0, backoff=Backoff(first_seconds=30))
        self.pulse, self.metrics = Pulse(), Metrics()
        objects = Objects(self.world.api)
        self.scaler = Scaler(self.world.pods, objects)
        self.work = Work(
            objects=objects,
            services=self.world.reconciler,
            gateways=self.world.gateways,
            scaler=self.scaler,
            pulse=self.pulse,
            metrics=self.metrics,
            queue=self.queue,
        )

    async def all_due(self):
        """Deal with everything that is due now."""
        while len(self.queue):
            await self.work.step()

    def errors(self, kind, reason):
        return self.metrics.registry.get_sample_value(
            "remoe_operator_reconcile_errors_total", {"kind": kind, "reason": reason}
        )


@pytest.fixture
def working():
    return Working()


def test_each_object_has_its_key():
    assert key_of({"kind": "MoEService", "metadata": {"namespace": "n", "name": "s"}}) == (
        "n",
        "s",
    )
    ours = pod("p", {"remoe.dev/service": "chat"}, {})
    gateway = pod("p", {"app.kubernetes.io/component": "gateway"}, {})
    assert key_of(ours) == CHAT
    assert key_of(gateway) == GATEWAY
    assert key_of(pod("p", {}, {})) is None


async def test_knock_of_a_service_brings_it_up_and_its_gateway_after_it(working):
    world = working.world
    working.work.knock("ADDED", world.ask())
    await working.all_due()
    assert world.api.all("jobs")
    world.finish_fetch()
    working.work.knock("MODIFIED", pod("p", {"remoe.dev/service": "chat"}, {}))
    await working.all_due()
    assert {"chat-main", "remoe-gateway"} <= set(world.api.all("deployments"))
    assert working.pulse.seconds_since_pass() is not None


async def test_change_of_a_gateway_is_told_by_every_service_behind_it(working):
    world = working.world
    working.work.knock("ADDED", world.ask())
    await working.all_due()
    world.finish_fetch()
    working.queue.add(CHAT)
    await working.all_due()
    world.run_deployments()
    gateway = pod("p", {"app.kubernetes.io/component": "gateway"}, {})
    working.work.knock("MODIFIED", gateway)
    await working.all_due()
    assert world.conditions()["GatewayAvailable"][0] == "True"


async def test_service_that_went_is_forgotten_and_its_gateway_too(working):
    world = working.world
    made = world.ask()
    working.work.knock("ADDED", made)
    await working.all_due()
    world.finish_fetch()
    working.queue.add(CHAT)
    await working.all_due()
    del world.api.objects["moeservices", NAMESPACE, "chat"]
    working.work.knock("DELETED", made)
    await working.all_due()
    assert "remoe-gateway" not in world.api.all("deployments")
    assert working.scaler._known == {}


async def test_pass_that_fails_is_counted_and_tried_later(working):
    world = working.world
    world.api.refuse[("GET", "moeservices")] = (503, "starting")
    working.queue.add(CHAT)
    await working.work.step()
    assert len(working.queue) == 0, "it waits"
    assert working.errors("service", "ApiServerUnreachable") == 1
    assert working.pulse.seconds_since_pass() is None


async def test_fault_of_our_own_stops_one_service_only(working):
    async def broken(*_):
        raise RuntimeError("a fault")

    working.world.reconciler.reconcile = broken
    working.queue.add(CHAT)
    working.queue.add(GATEWAY)
    await working.all_due()
    assert working.errors("service", "RuntimeError") == 1
    assert working.pulse.seconds_since_pass() is not None


async def test_resync_finds_services_that_no_event_told_of(working):
    working.world.ask("one")
    working.world.ask("two")
    resync = asyncio.create_task(working.work.resync((), 0.01))
    async with asyncio.timeout(10):
        while len(working.queue) < 1:
            await asyncio.sleep(0.01)
    resync.cancel()
    keys = {Key(NAMESPACE, "one"), Key(NAMESPACE, "two"), GATEWAY}
    assert set(working.queue._due) == keys


async def test_resync_lives_through_errors(working):
    working.world.api.refuse[("GET", "moeservices")] = (404, "no such definition")
    resync = asyncio.create_task(working.work.resync((), 0.01))
    await asyncio.sleep(0.05)
    working.world.api.refuse.clear()
    working.world.ask()
    async with asyncio.timeout(10):
        while CHAT not in working.queue._due:
            await asyncio.sleep(0.01)
    resync.cancel()
