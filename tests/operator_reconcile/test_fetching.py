"""Weights that come, do not come, or come in vain."""

from __future__ import annotations

import pytest
from builders.service_world import NAMESPACE, UNSCHEDULABLE, World, pod

from remoe_operator.resource.status import FetchProgress

LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
async def world():
    made = World()
    made.ask()
    await made.step()
    return made


def job_of(world):
    (name,) = world.api.all("jobs")
    return name


async def test_progress_is_told_while_it_runs(world):
    world.bind_claims()
    world.api.put(pod("p", labels(world) | {"job-name": job_of(world)}, {"phase": "Running"}))
    world.pods.told = FetchProgress(bytes_done=5, bytes_total=10, revision=None)
    done = await world.step()
    assert world.service()["status"]["fetch"] == {"bytesDone": 5, "bytesTotal": 10}
    assert done.again_after_seconds is not None


async def test_progress_that_is_unknown_keeps_what_was_told(world):
    await test_progress_is_told_while_it_runs(world)
    world.pods.told = None
    await world.step()
    assert world.service()["status"]["fetch"]["bytesDone"] == 5


async def test_facts_are_taken_from_the_pod_before_its_job_says_complete(world):
    world.finish_fetch()
    job = world.api.objects["jobs", NAMESPACE, job_of(world)]
    world.api.change("jobs", NAMESPACE, job_of(world), status={"conditions": []})
    started = world.api.objects["pods", NAMESPACE, f"{job_of(world)}-x"]
    started["metadata"]["ownerReferences"] = [{"uid": job["metadata"]["uid"]}]
    await world.step()
    assert world.conditions()["ModelFetched"][0] == "True"


async def test_pod_that_ended_is_not_asked_how_far_it_is(world):
    world.finish_fetch()
    said = {"phase": "Succeeded", "containerStatuses": []}
    world.api.change("pods", NAMESPACE, f"{job_of(world)}-x", status=said)
    world.api.change("jobs", NAMESPACE, job_of(world), status={"conditions": []})
    world.pods.told = FetchProgress(bytes_done=5, bytes_total=10, revision=None)
    await world.step()
    assert "fetch" not in world.service()["status"]


async def test_model_that_does_not_exist_is_said_in_words(world):
    world.fail_fetch("ModelNotFound", "hf://a/b is not on the hub")
    await world.step()
    status, reason, message = world.conditions()["Ready"]
    assert (status, reason) == ("False", "ModelNotFound")
    assert message.startswith("hf://a/b is not on the hub")
    assert job_of(world)


async def test_failed_fetch_is_tried_again_after_a_while(world):
    failed = job_of(world)
    uid = world.api.objects["jobs", NAMESPACE, failed]["metadata"]["uid"]
    world.fail_fetch("ModelNotFound", "gone", at=LONG_AGO)
    done = await world.step()
    assert done.again_after_seconds == pytest.approx(2.0)
    assert not world.api.all("jobs")
    await world.step()
    assert world.api.objects["jobs", NAMESPACE, job_of(world)]["metadata"]["uid"] != uid


async def test_another_token_starts_another_fetch(world):
    world.ask("gated", model={"uri": "hf://a/b", "tokenSecret": {"name": "hub"}})
    await world.step("gated")
    assert world.conditions("gated")["ModelFetched"][1] == "TokenSecretMissing"
    assert not [j for j in world.api.all("jobs") if j.startswith("gated")]
    world.api.put(secret({"token": "YQ=="}))
    await world.step("gated")
    (first,) = [j for j in world.api.all("jobs") if j.startswith("gated")]
    world.fail_fetch("AccessDenied", "the token may not read a/b", name="gated")
    await world.step("gated")
    assert world.conditions("gated")["ModelFetched"][1] == "AccessDenied"
    world.api.edit("secrets", NAMESPACE, "hub", {"data": {"token": "Yg=="}})
    await world.step("gated")
    (second,) = [j for j in world.api.all("jobs") if j.startswith("gated")]
    assert second != first


async def test_claim_without_a_volume_is_said_with_its_event(world):
    claim = world.api.objects["persistentvolumeclaims", NAMESPACE, "chat-data"]
    world.api.put(event(claim, "FailedBinding", "no persistent volumes available"))
    await world.step()
    status, reason, message = world.conditions()["ModelFetched"]
    assert (status, reason) == ("False", "ClaimPending")
    assert "chat-data" in message
    assert "no persistent volumes available" in message


async def test_fetch_pod_that_no_node_takes_is_said_with_the_schedulers_words(world):
    world.bind_claims()
    world.api.put(pod("p", labels(world) | {"job-name": job_of(world)}, UNSCHEDULABLE))
    await world.step()
    assert world.conditions()["Ready"][1] == "Unschedulable"
    assert "Insufficient memory" in world.conditions()["Ready"][2]


async def test_job_that_ended_unheard_runs_again(world):
    world.finish_fetch()
    for name in list(world.api.all("pods")):
        del world.api.objects["pods", NAMESPACE, name]
    await world.step()
    assert not world.api.all("jobs")
    await world.step()
    assert world.api.all("jobs")


async def test_lost_claim_is_filled_again_while_the_old_facts_serve(world):
    world.finish_fetch()
    await world.settle()
    for name in ("jobs", "persistentvolumeclaims"):
        for child in list(world.api.all(name)):
            del world.api.objects[name, NAMESPACE, child]
    await world.settle(rounds=3)
    assert world.api.all("jobs")
    assert world.conditions()["ModelFetched"][0] == "False"
    assert "chat-main" in world.api.all("deployments")


async def test_other_revision_is_fetched_while_the_old_one_serves(world):
    world.ask("hub", model={"uri": "hf://a/b", "revision": "v1"})
    await world.step("hub")
    world.finish_fetch("hub")
    await world.settle("hub")
    world.edit({"spec": {"model": {"revision": "v2"}}}, name="hub")
    await world.step("hub")
    conditions = world.conditions("hub")
    assert conditions["ModelFetched"][:2] == ("False", "Fetching")
    assert conditions["Ready"][0] == "True"
    assert len([j for j in world.api.all("jobs") if j.startswith("hub")]) == 1


def labels(world):
    job = world.api.objects["jobs", NAMESPACE, job_of(world)]
    return job["spec"]["template"]["metadata"]["labels"]


def secret(data):
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "hub", "namespace": NAMESPACE},
        "data": data,
    }


def event(about, reason, message, kind="Normal"):
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"e-{reason.lower()}", "namespace": NAMESPACE},
        "involvedObject": {"uid": about["metadata"]["uid"]},
        "reason": reason,
        "message": message,
        "type": kind,
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
