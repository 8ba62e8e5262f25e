"""Several services share a namespace and its gateway, and nothing else."""

from __future__ import annotations

import json

import pytest
from builders.service_world import NAMESPACE, World


@pytest.fixture
async def world():
    made = World()
    await made.served("one")
    await made.served("two")
    await made.settle("one")
    return made


def config(world):
    text = world.api.objects["configmaps", NAMESPACE, "remoe-gateway"]["data"]["gateway.json"]
    return json.loads(text)


async def test_one_gateway_serves_both(world):
    assert {m["service"] for m in config(world)["models"]} == {"one", "two"}
    gateway = world.api.objects["deployments", NAMESPACE, "remoe-gateway"]
    owners = {o["uid"] for o in gateway["metadata"]["ownerReferences"]}
    assert owners == {world.service(n)["metadata"]["uid"] for n in ("one", "two")}


async def test_one_that_goes_leaves_the_other_served(world):
    del world.api.objects["moeservices", NAMESPACE, "one"]
    world.api.collect_garbage()
    await world.step("one")
    assert [m["service"] for m in config(world)["models"]] == ["two"]
    await world.settle("two")
    assert world.conditions("two")["Ready"][0] == "True"


async def test_one_that_is_not_fetched_yet_does_not_disturb_the_other(world):
    before = json.dumps(config(world))
    world.ask("three")
    await world.settle("three")
    assert json.dumps(config(world)) == before
    assert world.conditions("two")["Ready"][0] == "True"


async def test_facts_that_are_gone_for_a_moment_leave_the_gateway_as_it_is(world):
    before = json.dumps(config(world))
    del world.api.objects["configmaps", NAMESPACE, "one-model"]
    await world.gateways.reconcile(NAMESPACE)
    assert json.dumps(config(world)) == before


async def test_service_of_the_same_name_waits_for_what_the_earlier_one_left(world):
    del world.api.objects["moeservices", NAMESPACE, "one"]
    world.ask("one")
    done = await world.reconciler.reconcile(NAMESPACE, "one")
    assert done.failure is not None
    assert "still being deleted" in str(done.failure)
    world.api.collect_garbage()
    done = await world.step("one")
    assert done.failure is None
    assert [name for name in world.api.all("jobs") if name.startswith("one-")]
