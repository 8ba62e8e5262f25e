"""What went wrong with a pod is told in words, and a replacement is counted."""

from __future__ import annotations

import pytest

from remoe_functions.runtime.kubernetes.words import failure_of
from remoe_functions.runtime.state import ReplicaState


def words(**status):
    return failure_of({"status": status})


def container(state=None, last=None, **fields):
    return {"containerStatuses": [{"state": state or {}, "lastState": last or {}, **fields}]}


def waiting(reason, message=""):
    return {"waiting": {"reason": reason, "message": message}}


def ended(code, reason="Error", message=""):
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({}, None),
        (container({"running": {}}, ready=True), None),
        (container(waiting("ContainerCreating")), None),
        (container({"running": {}}, ended(137, "OOMKilled"), ready=True), None),
        (container({"running": {}}, ended(0), ready=False), None),
        (
            container(waiting("ImagePullBackOff", 'Back-off\n  pulling "x"'), image="x:1"),
            'image x:1 cannot be had (ImagePullBackOff): Back-off pulling "x"',
        ),
        (container(waiting("ErrImageNeverPull")), "image None cannot be had (ErrImageNeverPull): "),
        (
            container(waiting("CreateContainerConfigError", 'secret "t" not found')),
            'CreateContainerConfigError: secret "t" not found',
        ),
        (container(waiting("CrashLoopBackOff", "back-off 10s")), "CrashLoopBackOff: back-off 10s"),
        (
            container(waiting("CrashLoopBackOff"), ended(2, message="at work\nno such folder\n")),
            "exited with code 2: no such folder",
        ),
        (container(waiting("CrashLoopBackOff"), ended(139)), "was killed by SIGSEGV"),
        (container(waiting("CrashLoopBackOff"), ended(255)), "was killed by signal 127"),
        (
            container(waiting("CrashLoopBackOff"), ended(137, "OOMKilled")),
            "ran out of memory (OOMKilled)",
        ),
        (container({"running": {}}, ended(1), ready=False), "exited with code 1"),
        (container(ended(1, message="gone")), "exited with code 1: gone"),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}]},
            "cannot be scheduled: 0/1 nodes",
        ),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "low on memory"},
            "Evicted: low on memory",
        ),
    ],
)
def test_trouble_is_told_in_words(status, told):
    assert words(**status) == told


def test_a_novel_is_cut_to_a_line():
    told = words(**container(waiting("ErrImagePull", "why " * 1000), image="x"))
    assert len(told) < 400
    assert told.endswith("…")


async def test_last_failure_names_the_newest_failing_pod_and_stays_after_recovery(world):
    runtime = world.runtime()
    world.cluster.deploy("experts-1", 1)
    world.cluster.pod("p", **container(waiting("CrashLoopBackOff"), ended(2)))
    told = await world.until(runtime, lambda parts: parts["experts-1"].last_failure)
    assert told.parts["experts-1"].last_failure == "p exited with code 2"
    assert told.parts["experts-1"].replicas[0].state is ReplicaState.FAILED
    world.cluster.pod("p", **container({"running": {}}, ended(2), ready=True))
    after = await world.until(
        runtime, lambda parts: parts["experts-1"].replicas[0].state is ReplicaState.STARTING
    )
    assert after.parts["experts-1"].last_failure == "p exited with code 2"


async def test_pods_that_may_not_even_be_made_are_told_of(world):
    runtime = world.runtime()
    failing = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small"}
    world.cluster.deploy("experts-1", 1, conditions=[failing])
    snapshot = await world.until(runtime, lambda parts: parts["experts-1"].last_failure)
    assert snapshot.parts["experts-1"].last_failure == "no pod can be made: exceeded quota: small"


async def test_containers_started_anew_and_pods_that_are_over_count_as_restarts(world):
    runtime = world.runtime()
    world.cluster.deploy("experts-1", 1)

    async def restarts(count):
        snapshot = await world.until(runtime, lambda parts: parts["experts-1"].restarts == count)
        return [replica.id for replica in snapshot.parts["experts-1"].replicas]

    world.cluster.pod("p", containerStatuses=[{"restartCount": 0}])
    assert await restarts(0) == ["p"]
    world.cluster.pod("p", containerStatuses=[{"restartCount": 2}])
    assert await restarts(2) == ["p"]
    world.cluster.pod(
        "p", phase="Failed", reason="Evicted", containerStatuses=[{"restartCount": 2}]
    )
    assert await restarts(3) == []
    world.cluster.delete("pods", "p")
    world.cluster.pod("q", containerStatuses=[{"restartCount": 1}])
    assert await restarts(4) == ["q"]
