"""One service from its creation to its end."""

from __future__ import annotations

import pytest
from builders.service_world import NAMESPACE, World


@pytest.fixture
def world():
    return World()


async def test_first_pass_lays_the_foundation_and_begins_to_fetch(world):
    world.ask()
    await world.step()
    assert set(world.api.all("persistentvolumeclaims")) == {"chat-data"}
    assert [name.startswith("chat-fetch-") for name in world.api.all("jobs")] == [True]
    assert world.api.objects["secrets", NAMESPACE, "chat-token"]["data"]["token"]
    assert world.conditions()["ModelFetched"][:2] == ("False", "Fetching")
    assert world.conditions()["Ready"][:2] == ("False", "Fetching")
    assert not world.api.all("deployments")


async def test_fetched_model_is_planned_and_served(world):
    done = await world.served()
    assert world.conditions()["Ready"][:2] == ("True", "Serving")
    names = set(world.api.all("deployments"))
    digest = world.service()["status"]["plan"]["digest"]
    functions = {f"chat-{digest}-{f.name}" for f in done.findings.choice.target.plan.plan.functions}
    assert functions
    assert names == {"chat-main", "remoe-gateway"} | functions
    status = world.service()["status"]
    assert status["url"] == f"http://remoe-gateway.{NAMESPACE}.svc.cluster.local/v1"
    assert (status["replicas"], status["selector"]) == (
        1,
        "remoe.dev/part=main,remoe.dev/service=chat",
    )


async def test_converged_service_is_not_written_to(world):
    await world.served()
    versions = {k: o["metadata"]["resourceVersion"] for k, o in world.api.objects.items()}
    world.api.writes.clear()
    done = await world.step()
    assert world.api.writes == []
    assert not done.wrote
    assert versions == {k: o["metadata"]["resourceVersion"] for k, o in world.api.objects.items()}


async def test_new_operator_finds_all_as_it_should_be(world):
    await world.served()
    world.api.writes.clear()
    world.start()
    await world.step()
    assert world.api.writes == []


async def test_functions_at_zero_and_a_sleeping_main_model_are_healthy(world):
    await world.served()
    world.scale("chat-main", 0)
    await world.settle()
    conditions = world.conditions()
    assert conditions["Ready"][:2] == ("True", "Asleep")
    assert conditions["FunctionsHealthy"][0] == "True"
    assert world.service()["status"]["measuredCostPerHour"].startswith("0 ")


async def test_main_model_that_wakes_stays_ready(world):
    await world.served()
    world.scale("chat-main", 0)
    await world.settle()
    world.scale("chat-main", 1)
    world.run_deployments(broken=())
    for name in list(world.api.all("pods")):
        if name.startswith("chat-main"):
            world.api.change("pods", NAMESPACE, name, status={"phase": "Pending"})
    world.api.change("deployments", NAMESPACE, "chat-main", status={"replicas": 1})
    await world.step()
    assert world.conditions()["Ready"][:2] == ("True", "Waking")
    assert world.conditions()["MainAvailable"][:2] == ("False", "Starting")


async def test_replicas_that_others_set_are_left_and_told(world):
    await world.served()
    world.scale("chat-main", 0)
    world.run_deployments()
    await world.step()
    assert world.api.objects["deployments", NAMESPACE, "chat-main"]["spec"]["replicas"] == 0
    (told,) = [s for s in world.service()["status"]["scaling"] if s["part"] == "chat-main"]
    assert (told["before"], told["after"]) == (1, 0)


async def test_change_by_hand_is_put_right_but_for_replicas(world):
    await world.served()
    world.api.edit(
        "deployments", NAMESPACE, "chat-main", {"metadata": {"labels": {"remoe.dev/part": "x"}}}
    )
    await world.step()
    live = world.api.objects["deployments", NAMESPACE, "chat-main"]
    assert live["metadata"]["labels"]["remoe.dev/part"] == "main"


async def test_child_that_was_deleted_comes_back(world):
    await world.served()
    del world.api.objects["services", NAMESPACE, "chat-main"]
    await world.step()
    assert "chat-main" in world.api.all("services")


async def test_token_is_drawn_once(world):
    await world.served()
    before = world.api.objects["secrets", NAMESPACE, "chat-token"]["data"]
    world.start()
    world.edit({"spec": {"main": {"maxBatch": 3}}})
    await world.settle()
    assert world.api.objects["secrets", NAMESPACE, "chat-token"]["data"] == before


async def test_all_children_go_with_the_service(world):
    await world.served()
    del world.api.objects["moeservices", NAMESPACE, "chat"]
    world.api.collect_garbage()
    left = {key for key in world.api.objects if key[0] not in ("pods", "events")}
    assert left == set()
    await world.step()
    assert {key for key in world.api.objects if key[0] not in ("pods", "events")} == set()


async def test_events_tell_plan_and_readiness_once(world):
    await world.served()
    await world.settle()
    told = [e["reason"] for e in world.api.all("events").values()]
    assert told.count("PlanChanged") == 1
    assert told.count("Ready") == 1
    assert all(e.get("count") == 1 for e in world.api.all("events").values())


async def test_service_whose_spec_is_not_allowed_is_told_so(world):
    await world.served()
    world.edit({"spec": {"main": {"minReplicas": "many"}}})
    await world.step()
    status, reason, message = world.conditions()["Ready"]
    assert (status, reason) == ("False", "InvalidSpec")
    assert "spec.main.minReplicas" in message
    assert "chat-main" in world.api.all("deployments")
