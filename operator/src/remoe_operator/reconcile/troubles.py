"""What is wrong with a child, in words: pods, Deployments, Jobs and claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from remoe_operator.cluster.kinds import Manifest

_PULLING = frozenset(
    (
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
    )
)
_CREATING = frozenset(("CreateContainerConfigError", "CreateContainerError", "RunContainerError"))
_HARMLESS_CLAIM_EVENTS = frozenset(
    (
        "WaitForFirstConsumer",
        "WaitForPodScheduled",
        "ExternalProvisioning",
        "Provisioning",
        "ProvisioningSucceeded",
    )
)
_LONGEST = 700


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that keeps a child from being well.

    Attributes:
        reason: one CamelCase word, Kubernetes' own where it has one.
        message: a sentence, Kubernetes' own words in it.
    """

    reason: str
    message: str


def of_part(
    deployment: Manifest | None,
    pods: Iterable[Manifest],
    events: Mapping[str, Sequence[Manifest]],
) -> Trouble | None:
    """What is wrong with a Deployment or its pods; the pods' trouble says more, so it comes first.

    Args:
        deployment: as last read, None where there is none.
        pods: its pods.
        events: warnings, by the uid of what they are about.
    """
    for pod in pods:
        if found := of_pod(pod, events.get(pod["metadata"]["uid"], ())):
            return found
    return _of_deployment(deployment) if deployment else None


def of_pod(pod: Manifest, events: Sequence[Manifest] = ()) -> Trouble | None:
    """What is wrong with a pod; None for one that is well, ending, or on its way."""
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp") or status.get("phase") == "Succeeded":
        return None
    return (
        _scheduling(status)
        or _containers(status)
        or _whole_pod(status)
        or (_warned(events) if status.get("phase") == "Pending" else None)
    )


def _scheduling(status: Mapping[str, Any]) -> Trouble | None:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            message = condition.get("message") or "no node takes the pod"
            reason = condition.get("reason") or "Unschedulable"
            return _trouble(reason, f"no node takes the pod: {message}")
    return None


def _containers(status: Mapping[str, Any]) -> Trouble | None:
    for name in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(name) or ():
            if found := _container(container):
                return found
    return None


def _container(container: Mapping[str, Any]) -> Trouble | None:
    state: Mapping[str, Any] = container.get("state") or {}
    waiting: Mapping[str, Any] = state.get("waiting") or {}
    reason = str(waiting.get("reason") or "")
    if reason in _PULLING:
        said = str(waiting.get("message") or reason).rsplit("ErrImagePull: ", 1)[-1]
        kept = reason if reason in ("InvalidImageName", "ErrImageNeverPull") else "ImagePullBackOff"
        return _trouble(kept, f"image {container.get('image')} cannot be pulled: {said}")
    if reason in _CREATING:
        return _trouble(reason, f"the container cannot start: {waiting.get('message') or reason}")
    ended = state.get("terminated")
    if ended is None and not container.get("ready"):
        ended = (container.get("lastState") or {}).get("terminated")
    return _ended(ended, again=int(container.get("restartCount") or 0)) if ended else None


def _ended(ended: Mapping[str, Any], *, again: int) -> Trouble | None:
    if not ended.get("exitCode"):
        return None
    if ended.get("reason") == "OOMKilled":
        return _trouble("OOMKilled", "the container took more memory than its limit, and was ended")
    said = _essence(str(ended.get("message") or ""))
    words = f"it ended with exit code {ended['exitCode']}" + (f": {said}" if said else "")
    return _trouble("CrashLoopBackOff" if again else "Crashed", words)


def _essence(last_words: str) -> str:
    """Last words without the way there: of a Python traceback just the error."""
    lines = [line.strip() for line in last_words.splitlines() if line.strip()]
    return lines[-1] if any(line.startswith("Traceback") for line in lines) else " ".join(lines)


def _whole_pod(status: Mapping[str, Any]) -> Trouble | None:
    if status.get("phase") != "Failed":
        return None
    reason = str(status.get("reason") or "Failed")
    return _trouble(reason, f"the pod failed: {status.get('message') or reason}")


def _warned(events: Sequence[Manifest]) -> Trouble | None:
    for event in reversed(events):
        if event.get("type") == "Warning":
            return _trouble(str(event.get("reason")), str(event.get("message")))
    return None


def _of_deployment(deployment: Manifest) -> Trouble | None:
    conditions = {c["type"]: c for c in (deployment.get("status") or {}).get("conditions") or ()}
    failure = conditions.get("ReplicaFailure", {})
    if failure.get("status") == "True":
        message = str(failure.get("message") or "its pods cannot be created")
        reason = "QuotaExceeded" if "exceeded quota" in message else "FailedCreate"
        return _trouble(reason, f"pods cannot be created: {message}")
    return None


def of_job(events: Sequence[Manifest]) -> Trouble | None:
    """What keeps a Job from having pods."""
    found = _warned([event for event in events if event.get("reason") == "FailedCreate"])
    if found is None:
        return None
    reason = "QuotaExceeded" if "exceeded quota" in found.message else found.reason
    return _trouble(reason, f"pods cannot be created: {found.message}")


def of_claim(claim: Manifest, events: Sequence[Manifest]) -> Trouble | None:
    """What keeps a claim from being bound."""
    phase = (claim.get("status") or {}).get("phase")
    name = claim["metadata"]["name"]
    if phase == "Lost":
        return _trouble("ClaimLost", f"claim {name} lost its volume")
    if phase == "Bound":
        return None
    for event in reversed(events):
        if event.get("reason") not in _HARMLESS_CLAIM_EVENTS:
            return _trouble("ClaimPending", f"claim {name} is not bound: {event.get('message')}")
    return None


def _trouble(reason: str, message: str) -> Trouble:
    said = " ".join(message.split())
    return Trouble(reason=reason, message=said if len(said) <= _LONGEST else said[:_LONGEST] + "…")
