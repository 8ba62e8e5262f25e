"""What is wrong with a child is said in words, and in the same words until it changes."""

from __future__ import annotations

import pytest
from builders.service_world import UNSCHEDULABLE, pod

from remoe_operator.reconcile.troubles import of_claim, of_job, of_part, of_pod


def container(**state):
    return pod("p", {}, {"phase": "Pending", "containerStatuses": [{"image": "a:1", **state}]})


def waiting(reason, message=""):
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def ended(code, message="", reason="Error"):
    return {"terminated": {"exitCode": code, "message": message, "reason": reason}}


PULL = 'failed to resolve reference "a:1": not found'
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1\nImportError: no torch\n'


@pytest.mark.parametrize(
    ("made", "reason", "words"),
    [
        (container(**waiting("ErrImagePull", PULL)), "ImagePullBackOff", "a:1 cannot be pulled"),
        (
            container(**waiting("ImagePullBackOff", f"Back-off: ErrImagePull: {PULL}")),
            "ImagePullBackOff",
            "not found",
        ),
        (container(**waiting("InvalidImageName")), "InvalidImageName", "cannot be pulled"),
        (
            container(**waiting("CreateContainerConfigError", 'secret "k" not found')),
            "CreateContainerConfigError",
            'secret "k" not found',
        ),
        (
            container(
                **waiting("CrashLoopBackOff"), lastState=ended(3, "no weights"), restartCount=2
            ),
            "CrashLoopBackOff",
            "exit code 3: no weights",
        ),
        (container(state=ended(1, TRACEBACK)), "Crashed", "exit code 1: ImportError: no torch"),
        (
            container(state=ended(137, reason="OOMKilled")),
            "OOMKilled",
            "more memory than its limit",
        ),
        (pod("p", {}, UNSCHEDULABLE), "Unschedulable", "Insufficient memory"),
        (
            pod("p", {}, {"phase": "Failed", "reason": "Evicted", "message": "low on disk"}),
            "Evicted",
            "low on disk",
        ),
    ],
)
def test_pods_trouble_is_told(made, reason, words):
    trouble = of_pod(made)
    assert trouble.reason == reason
    assert words in trouble.message


def test_both_faces_of_a_failing_pull_are_told_in_one_way():
    first = of_pod(container(**waiting("ErrImagePull", PULL)))
    second = of_pod(container(**waiting("ImagePullBackOff", f"Back-off: ErrImagePull: {PULL}")))
    assert first == second


@pytest.mark.parametrize(
    "made",
    [
        container(**waiting("ContainerCreating")),
        container(state={"running": {}}, ready=True, lastState=ended(1)),
        container(state=ended(0)),
        pod("p", {}, {"phase": "Succeeded", "containerStatuses": [{"state": ended(1)}]}),
        pod("p", {}, {}),
    ],
)
def test_pod_that_is_well_or_on_its_way_is_no_trouble(made):
    assert of_pod(made) is None


def test_pod_on_its_way_out_is_no_trouble():
    made = pod("p", {}, UNSCHEDULABLE)
    made["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert of_pod(made) is None


def test_volume_that_cannot_be_mounted_is_told_by_the_latest_warning():
    event = {"type": "Warning", "reason": "FailedMount", "message": 'configmap "x" not found'}
    trouble = of_pod(container(**waiting("ContainerCreating")), [event])
    assert (trouble.reason, trouble.message) == ("FailedMount", 'configmap "x" not found')


def test_pods_that_a_quota_keeps_out_are_told_by_their_deployment():
    condition = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: tiny"}
    trouble = of_part({"status": {"conditions": [condition]}}, (), {})
    assert trouble.reason == "QuotaExceeded"
    assert "exceeded quota: tiny" in trouble.message


def test_jobs_pods_that_cannot_be_made_are_told_by_its_event():
    event = {"type": "Warning", "reason": "FailedCreate", "message": "violates PodSecurity"}
    assert "violates PodSecurity" in of_job([event]).message
    assert of_job([event | {"reason": "BackoffLimitExceeded"}]) is None


def test_claim_that_waits_for_its_first_pod_is_no_trouble():
    claim = {"metadata": {"name": "c"}, "status": {"phase": "Pending"}}
    waits = {"reason": "WaitForFirstConsumer", "message": "waiting for first consumer"}
    failed = {"reason": "ProvisioningFailed", "message": "no such class"}
    assert of_claim(claim, [waits]) is None
    assert "no such class" in of_claim(claim, [waits, failed]).message
    assert of_claim(claim | {"status": {"phase": "Lost"}}, []).reason == "ClaimLost"
    assert of_claim(claim | {"status": {"phase": "Bound"}}, [failed]) is None


def test_endless_words_are_cut():
    trouble = of_pod(container(state=ended(1, "x" * 10_000)))
    assert len(trouble.message) < 1000
