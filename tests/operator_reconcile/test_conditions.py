"""Every child's trouble shows in the parent's conditions; what does no harm leaves it ready."""

from __future__ import annotations

import pytest
from builders.service_world import NAMESPACE, World

from remoe_operator.cluster.errors import ForbiddenError


@pytest.fixture
async def world():
    made = World()
    await made.served()
    return made


def awake(world, names):
    for name in names:
        world.scale(name, 1)


def functions(world):
    return {n for n in world.api.all("deployments") if n not in ("chat-main", "remoe-gateway")}


async def test_function_that_no_node_takes_leaves_the_service_ready(world):
    broken = functions(world)
    awake(world, broken)
    world.run_deployments(broken)
    await world.step()
    conditions = world.conditions()
    assert conditions["FunctionsHealthy"][:2] == ("False", "Unschedulable")
    assert conditions["FunctionsHealthy"][2].count("Insufficient memory") == 1
    assert conditions["Ready"][0] == "True"
    assert "the main model computes some experts itself" in conditions["Ready"][2]
    troubled = [p for p in world.service()["status"]["parts"] if p.get("trouble")]
    assert {p["name"] for p in troubled} == broken


async def test_main_model_that_no_node_takes_makes_it_unready(world):
    world.run_deployments({"chat-main"})
    done = await world.step()
    status, reason, message = world.conditions()["Ready"]
    assert (status, reason) == ("False", "Unschedulable")
    assert "Insufficient memory" in message
    assert done.again_after_seconds is not None
    warned = [e for e in world.api.all("events").values() if e["type"] == "Warning"]
    assert [e["reason"] for e in warned] == ["Unschedulable"]


async def test_recovery_is_told_with_the_time_of_its_turn(world):
    before = moments(world)
    world.run_deployments({"chat-main"})
    await world.step()
    for condition in world.service()["status"]["conditions"]:
        condition["lastTransitionTime"] = "2020-01-01T00:00:00Z"
    world.run_deployments()
    await world.step()
    after = moments(world)
    assert after["Planned"] == "2020-01-01T00:00:00Z"
    assert after["Ready"] >= before["Ready"]


def moments(world):
    return {c["type"]: c["lastTransitionTime"] for c in world.service()["status"]["conditions"]}


async def test_missing_keys_close_the_model_rather_than_open_it(world):
    world.edit({"spec": {"auth": {"keysSecret": "keys"}}})
    await world.settle()
    status, reason, message = world.conditions()["Ready"]
    assert (status, reason) == ("False", "KeysSecretMissing")
    assert "spec.auth.keysSecret" in message
    assert not world.api.all("deployments").get("remoe-gateway")
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}}
    secret["metadata"]["namespace"] = NAMESPACE
    world.api.put(secret | {"data": {"alice": "YQ=="}})
    await world.settle()
    assert world.conditions()["Ready"][0] == "True"


async def test_missing_profile_keeps_the_plan_that_there_is(world):
    digest = world.service()["status"]["plan"]["digest"]
    world.edit({"spec": {"profile": {"name": "measured"}}})
    await world.settle()
    assert world.conditions()["Planned"][:2] == ("True", "ProfileMissing")
    assert world.service()["status"]["plan"]["digest"] == digest
    assert world.conditions()["Ready"][0] == "True"


async def test_bounds_that_nothing_fits_are_said_and_the_old_plan_stays(world):
    digest = world.service()["status"]["plan"]["digest"]
    world.edit({"spec": {"main": {"memoryLimit": "1Mi"}, "experts": {"maxFunctions": 1}}})
    await world.settle()
    status, _, message = world.conditions()["Planned"]
    assert status == "True"
    assert message
    assert world.service()["status"]["plan"]["digest"] == digest


@pytest.mark.parametrize(
    ("status", "said", "reason"),
    [
        (
            403,
            'User "system:serviceaccount:a:b" cannot patch resource "deployments" in API group '
            '"apps" in the namespace "models"',
            "Forbidden",
        ),
        (403, "exceeded quota: small", "QuotaExceeded"),
        (422, "spec.template: Invalid value", "Refused"),
    ],
)
async def test_what_the_api_server_refuses_is_said_and_the_rest_goes_on(status, said, reason):
    world = World()
    world.api.refuse[("PATCH", "deployments")] = (status, said)
    world.ask()
    await world.step()
    world.finish_fetch()
    done = await world.step()
    await world.reconciler.reconcile(NAMESPACE, "chat")
    assert done.failure is None, "asking again soon is of no use"
    assert world.conditions()["MainAvailable"][:2] == ("False", reason)
    assert world.conditions()["FunctionsHealthy"][1] == reason
    assert "chat-main" in world.api.all("services")


async def test_gateway_that_may_not_be_made_is_said_by_the_services_behind_it(world):
    del world.api.objects["deployments", NAMESPACE, "remoe-gateway"]
    world.api.refuse[("PATCH", "deployments")] = (403, "exceeded quota: small")
    assert await world.gateways.reconcile(NAMESPACE), "the services have to tell it"
    assert not await world.gateways.reconcile(NAMESPACE), "it is told already"
    await world.reconciler.reconcile(NAMESPACE, "chat")
    assert world.conditions()["GatewayAvailable"][:2] == ("False", "QuotaExceeded")
    assert world.conditions()["Ready"][:2] == ("False", "QuotaExceeded")
    world.api.refuse.clear()
    assert await world.gateways.reconcile(NAMESPACE)
    await world.settle()
    assert world.conditions()["Ready"][0] == "True"


async def test_missing_right_to_look_is_said_and_what_was_known_stays(world):
    world.api.refuse[("GET", "jobs")] = (
        403,
        'User "me" cannot list resource "jobs" in API group "batch" in the namespace "models"',
    )
    with pytest.raises(ForbiddenError):
        await world.reconciler.reconcile(NAMESPACE, "chat")
    status, reason, message = world.conditions()["Ready"]
    assert (status, reason) == ("Unknown", "Forbidden")
    assert "me lacks the right to list jobs.batch in namespace models" in message
    assert world.conditions()["MainAvailable"][0] == "True"


async def test_api_server_that_cannot_answer_now_is_asked_again(world):
    world.api.refuse[("PATCH", "services")] = (503, "etcd is away")
    del world.api.objects["services", NAMESPACE, "chat-main"]
    done = await world.reconciler.reconcile(NAMESPACE, "chat")
    assert done.failure is not None
    world.api.refuse.clear()
    done = await world.step()
    assert done.failure is None
    assert "chat-main" in world.api.all("services")
