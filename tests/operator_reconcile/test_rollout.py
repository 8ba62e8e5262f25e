"""A changed plan: functions first, then the main model and the gateway, old functions last."""

from __future__ import annotations

import pytest
from builders.service_world import NAMESPACE, World

from remoe_operator.reconcile import rollout
from remoe_operator.reconcile.plans import APPROVE

OTHER_PLAN = {"spec": {"experts": {"remoteShare": 0.25}}}


@pytest.fixture
async def world():
    made = World()
    await made.served()
    return made


def digest(world):
    return world.service()["status"]["plan"]["digest"]


def main_digest(world):
    template = world.api.objects["deployments", NAMESPACE, "chat-main"]["spec"]["template"]
    return template["metadata"]["labels"]["remoe.dev/plan"]


def plans_with_functions(world):
    deployments = world.api.all("deployments").values()
    found = {d["metadata"]["labels"].get("remoe.dev/plan") for d in deployments}
    return found - {None}


async def test_main_model_waits_for_new_functions_which_are_made_awake(world):
    old = digest(world)
    world.edit(OTHER_PLAN)
    await world.step()
    new = digest(world)
    assert new != old
    assert main_digest(world) == old
    assert plans_with_functions(world) == {old, new}
    made = [d for n, d in world.api.all("deployments").items() if f"-{new}-" in n]
    assert {d["spec"]["replicas"] for d in made} == {1}
    assert world.conditions()["Planned"][1] == "RollingOut"
    assert world.conditions()["Ready"][0] == "True"


async def test_main_model_switches_when_they_are_ready_and_old_functions_go_last(world):
    old = digest(world)
    world.edit(OTHER_PLAN)
    await world.step()
    mains = dict(world.api.all("pods"))
    world.run_deployments()
    await world.step()
    new = digest(world)
    assert main_digest(world) == new
    assert plans_with_functions(world) == {old, new}, "a pod of the old plan still runs"
    assert any("chat-main" in name for name in mains)
    world.run_deployments()
    await world.settle()
    assert plans_with_functions(world) == {new}
    assert {n for n in world.api.all("configmaps") if "plan" in n} == {f"chat-plan-{new}"}


async def test_old_functions_stay_while_a_gateway_pod_has_the_old_plan(world):
    old = digest(world)
    gateway_pod = next(p for n, p in world.api.all("pods").items() if "gateway" in n)
    world.edit(OTHER_PLAN)
    await world.step()
    await world.settle()
    world.api.put(gateway_pod | {"metadata": gateway_pod["metadata"] | {"name": "slow"}})
    restored = world.api.put(plan_of(old, world))
    assert restored
    await world.step()
    assert f"chat-plan-{old}" in world.api.all("configmaps")
    del world.api.objects["pods", NAMESPACE, "slow"]
    await world.step()
    assert f"chat-plan-{old}" not in world.api.all("configmaps")


def plan_of(old, world):
    live = world.api.objects["configmaps", NAMESPACE, f"chat-plan-{digest(world)}"]
    labels = live["metadata"]["labels"] | {"remoe.dev/plan": old}
    meta = {
        "name": f"chat-plan-{old}",
        "namespace": NAMESPACE,
        "labels": labels,
        "ownerReferences": live["metadata"]["ownerReferences"],
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": live["data"]}


async def test_functions_that_never_come_hold_it_up_for_so_long_only(world, monkeypatch):
    world.edit(OTHER_PLAN)
    await world.step()
    old, new = main_digest(world), digest(world)
    broken = {n for n in world.api.all("deployments") if f"-{new}-" in n}
    world.run_deployments(broken)
    await world.step()
    assert main_digest(world) == old
    monkeypatch.setattr(rollout, "PATIENCE_SECONDS", -1.0)
    await world.step()
    world.run_deployments(broken)
    await world.step()
    assert main_digest(world) == new
    ready, functions = world.conditions()["Ready"], world.conditions()["FunctionsHealthy"]
    assert functions[:2] == ("False", "Unschedulable")
    assert ready[0] == "True"
    assert "computes some experts itself" in ready[2]


async def test_sleeping_main_model_switches_at_once_and_new_functions_sleep(world):
    world.scale("chat-main", 0)
    await world.settle()
    world.edit(OTHER_PLAN)
    await world.step()
    new = digest(world)
    assert main_digest(world) == new
    made = [d for n, d in world.api.all("deployments").items() if f"-{new}-" in n]
    assert {d["spec"]["replicas"] for d in made} == {0}


async def test_edit_during_a_rollout_drops_the_plan_that_nobody_took(world):
    old = digest(world)
    world.edit(OTHER_PLAN)
    await world.step()
    dropped = digest(world)
    world.edit({"spec": {"experts": {"remoteShare": 0.75}}})
    await world.step()
    await world.step()
    assert plans_with_functions(world) == {old, digest(world)}
    await world.settle()
    assert plans_with_functions(world) == {digest(world)}
    assert dropped != digest(world)


async def test_edit_back_during_a_rollout_comes_back_to_the_old_plan(world):
    old = digest(world)
    world.edit(OTHER_PLAN)
    await world.step()
    world.edit({"spec": {"experts": {"remoteShare": None}}})
    await world.settle()
    assert digest(world) == main_digest(world) == old
    assert plans_with_functions(world) == {old}


async def test_plan_waits_for_approval_where_it_is_asked_for(world):
    old = digest(world)
    world.edit({"spec": {"autoApply": False, **OTHER_PLAN["spec"]}})
    await world.settle()
    proposed = world.service()["status"]["proposedPlan"]["digest"]
    assert digest(world) == old != proposed
    status, reason, message = world.conditions()["Planned"]
    assert (status, reason) == ("True", "WaitsForApproval")
    assert f"{APPROVE}={proposed}" in message
    world.edit({"metadata": {"annotations": {APPROVE: proposed}}})
    await world.settle()
    assert digest(world) == main_digest(world) == proposed
    assert "proposedPlan" not in world.service()["status"]


async def test_first_plan_waits_for_approval_too():
    world = World()
    await world.served(autoApply=False)
    assert world.conditions()["Ready"][:2] == ("False", "WaitsForApproval")
    assert "chat-main" not in world.api.all("deployments")
    digest = world.service()["status"]["proposedPlan"]["digest"]
    world.edit({"metadata": {"annotations": {APPROVE: digest}}})
    await world.settle()
    assert world.conditions()["Ready"][0] == "True"
