"""Use that drifted makes a new plan, where it pays, and not too often."""

from __future__ import annotations

import numpy as np
import pytest
from builders.service_world import ARCHITECTURE, NAMESPACE, World

from remoe_operator.reconcile import planning

LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
async def world():
    made = World()
    await made.served()
    age(made)
    return made


def age(world):
    """The plan has been in force for years."""
    for name, config in world.api.all("configmaps").items():
        if "-plan-" in name:
            notes = config["metadata"]["annotations"]
            notes |= {"remoe.dev/made-at": LONG_AGO, "remoe.dev/chosen-at": LONG_AGO}


def digest(world):
    return world.service()["status"]["plan"]["digest"]


def usage(saving):
    """Recorded use in which two experts of every layer do all the work."""
    layers, experts = ARCHITECTURE.shape
    counts = np.zeros((layers, experts))
    counts[:, 1:3] = 500.0
    return {
        "requests": 64,
        "prefill": counts.tolist(),
        "decode": counts.tolist(),
        "samples": [counts.tolist()] * 8,
        "sample_tokens": [1000] * 8,
        "prompt_tokens_mean": 500.0,
        "output_tokens_mean": 500.0,
        "max_prompt_tokens": 500,
        "max_output_tokens": 500,
        "replan_saving_per_hour": saving,
    }


async def test_use_that_drifted_makes_another_plan(world):
    before = digest(world)
    world.pods.used = usage(saving=0.5)
    await world.settle()
    assert digest(world) != before
    plans = [n for n in world.api.all("configmaps") if "-plan-" in n]
    assert plans == [f"chat-plan-{digest(world)}"]


async def test_use_that_does_not_pay_leaves_the_plan(world):
    before = digest(world)
    world.pods.used = usage(saving=0.0)
    await world.settle()
    assert digest(world) == before


async def test_gateway_that_does_not_answer_leaves_the_plan(world):
    before = digest(world)
    world.pods.used = None
    await world.settle()
    assert digest(world) == before


async def test_new_plan_settles_before_it_is_questioned(world):
    world.pods.used = usage(saving=0.5)
    await world.settle()
    first = digest(world)
    world.clock += 10 * planning._ASK_EVERY_SECONDS
    world.pods.used = usage(saving=0.5) | {"decode": usage(0)["decode"][::-1]}
    world.pods.used["prefill"] = np.roll(world.pods.used["prefill"], 3, axis=1).tolist()
    world.pods.used["decode"] = np.roll(world.pods.used["decode"], 3, axis=1).tolist()
    world.pods.used["samples"] = np.roll(world.pods.used["samples"], 3, axis=2).tolist()
    await world.settle()
    assert digest(world) == first


async def test_gateway_is_not_asked_at_every_pass(world):
    asked = []

    async def counted(gateways, model):
        asked.append(model)

    world.pods.usage = counted
    for _ in range(5):
        await world.step()
    assert asked == ["chat"]
    world.clock += planning._ASK_EVERY_SECONDS + 1
    await world.step()
    assert asked == ["chat", "chat"]


async def test_drift_is_proposed_where_plans_wait_for_approval(world):
    before = digest(world)
    world.edit({"spec": {"autoApply": False}})
    world.pods.used = usage(saving=0.5)
    await world.settle()
    assert digest(world) == before
    proposed = world.service()["status"]["proposedPlan"]["digest"]
    assert proposed != before
    assert f"chat-plan-{proposed}" in world.api.all("configmaps")
    told = [e["reason"] for e in world.api.all("events").values()]
    assert told.count("PlanProposed") == 1


async def test_refused_question_is_not_put_again_at_every_pass(world, monkeypatch):
    asked = []
    whole = planning.make

    def counted(*args, **kwargs):
        asked.append(args)
        return whole(*args, **kwargs)

    monkeypatch.setattr(planning, "make", counted)
    world.edit({"spec": {"main": {"memoryLimit": "1Mi"}, "experts": {"maxFunctions": 1}}})
    await world.settle()
    assert len(asked) == 1


async def test_plan_that_somebody_deleted_is_made_again(world):
    before = digest(world)
    del world.api.objects["configmaps", NAMESPACE, f"chat-plan-{before}"]
    await world.settle()
    assert digest(world) == before
    assert f"chat-plan-{before}" in world.api.all("configmaps")
