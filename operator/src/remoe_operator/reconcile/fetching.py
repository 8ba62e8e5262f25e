"""How far the model's weights have come: from the fetch Job and its pods to one of five states."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

from remoe_operator.children import labels, names
from remoe_operator.children.facts_config import ModelFacts, facts_from_message, facts_of
from remoe_operator.children.labels import Component
from remoe_operator.children.source import source_key
from remoe_operator.cluster.kinds import CLAIM, CONFIG_MAP, JOB, Manifest
from remoe_operator.reconcile.observed import Observed, component_of, label
from remoe_operator.reconcile.times import seconds_since
from remoe_operator.reconcile.troubles import Trouble, of_claim, of_job, of_pod

CLAIM_UID = "remoe.dev/claim"
"""Annotation of the facts: on which claim the weights were found."""

_TRY_AGAIN_SECONDS = 600.0
_TRY_AGAIN_SOON_SECONDS = 60.0
_PERMANENT_EXIT_CODE = 2


class FetchPhase(StrEnum):
    """Where fetching stands."""

    DONE = "Fetched"
    """The weights are there and their facts are kept."""

    FOUND = "Found"
    """The Job is through; its facts are to be kept."""

    RUNNING = "Fetching"
    FAILED = "FetchFailed"
    """For good, or for now: the Job gave up."""

    LOST = "Lost"
    """The Job is through and nobody knows what it found: it has to run again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Where fetching stands.

    Attributes:
        phase: see there.
        facts: of the weights that are there; of an earlier source while another is fetched.
        trouble: what went wrong, or keeps it from going on.
        pod: the pod that runs.
        failed_job: the Job that gave up.
        due: whether that one is to be tried again.
    """

    phase: FetchPhase
    facts: ModelFacts | None = None
    trouble: Trouble | None = None
    pod: Manifest | None = None
    failed_job: Manifest | None = None
    due: bool = False

    @property
    def is_current(self) -> bool:
        return self.phase in (FetchPhase.DONE, FetchPhase.FOUND)


def fetch_state(observed: Observed, job_name: str) -> Fetch:
    """Where fetching stands.

    Args:
        observed: the service and its children.
        job_name: of the Job for this source and token.
    """
    kept = _kept_facts(observed)
    if kept is not None and _is_current(observed):
        return Fetch(phase=FetchPhase.DONE, facts=kept)
    job = observed.child(JOB, job_name)
    if job is None:
        return Fetch(phase=FetchPhase.RUNNING, facts=kept, trouble=_claims_trouble(observed))
    pods = [pod for pod in observed.pods if label(pod, "job-name") == job_name]
    pods.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp")))
    if _has_condition(job, "Complete"):
        return _completed(pods, kept, job)
    if _has_condition(job, "Failed"):
        return _failed(observed, job, pods, kept)
    if own := [pod for pod in pods if _ended_well(pod) and _is_of(pod, job)]:
        return _completed(own, kept, job)  # the Job will say so in a second or two
    return _running(observed, job, pods, kept)


def _facts_config(observed: Observed) -> Manifest | None:
    return observed.child(CONFIG_MAP, names.facts(observed.service.name))


def _kept_facts(observed: Observed) -> ModelFacts | None:
    config = _facts_config(observed)
    try:
        return facts_of(config) if config else None
    except ValueError:
        return None  # of another version, or edited: they are found again


def _is_current(observed: Observed) -> bool:
    config = _facts_config(observed)
    if config is None or label(config, labels.SOURCE) != source_key(observed.service.spec):
        return False
    kept = (config["metadata"].get("annotations") or {}).get(CLAIM_UID, "")
    return bool(kept == claim_uid(observed))


def claim_uid(observed: Observed) -> str:
    """Identity of the claim of our own; empty where there is none."""
    claim = observed.child(CLAIM, names.data(observed.service.name))
    return str(claim["metadata"]["uid"]) if claim else ""


def _claims_trouble(observed: Observed) -> Trouble | None:
    for claim in observed.all(CLAIM):
        if found := of_claim(claim, observed.events.get(claim["metadata"]["uid"], ())):
            return found
    return None


def _completed(pods: list[Manifest], kept: ModelFacts | None, job: Manifest) -> Fetch:
    for pod in reversed(pods):
        try:
            return Fetch(phase=FetchPhase.FOUND, facts=facts_from_message(last_words(pod)))
        except ValueError:
            continue
    return Fetch(phase=FetchPhase.LOST, facts=kept, failed_job=job)


def _failed(
    observed: Observed, job: Manifest, pods: list[Manifest], kept: ModelFacts | None
) -> Fetch:
    error, lasting = _said_error(pods)
    told = error or Trouble(reason="FetchFailed", message=_job_message(job))
    age = seconds_since(_condition_time(job, "Failed"), observed.now) or 0.0
    return Fetch(
        phase=FetchPhase.FAILED,
        facts=kept,
        trouble=told,
        failed_job=job,
        due=age > (_TRY_AGAIN_SECONDS if lasting else _TRY_AGAIN_SOON_SECONDS),
    )


def _running(
    observed: Observed, job: Manifest, pods: list[Manifest], kept: ModelFacts | None
) -> Fetch:
    pod = pods[-1] if pods else None
    trouble = (
        of_pod(pod, observed.events.get(pod["metadata"]["uid"], ()))
        if pod
        else of_job(observed.events.get(job["metadata"]["uid"], ()))
    )
    said, _ = _said_error(pods)
    trouble = _claims_trouble(observed) or said or trouble
    # An ended pod's address is gone: asking it would wait for nobody.
    asked = pod if pod and (pod.get("status") or {}).get("phase") == "Running" else None
    return Fetch(phase=FetchPhase.RUNNING, facts=kept, trouble=trouble, pod=asked)


def _said_error(pods: list[Manifest]) -> tuple[Trouble | None, bool]:
    """What the newest pod said before it ended, and whether trying again soon is of no use."""
    for pod in reversed(pods):
        ended = _ended(pod)
        if ended is None or not ended.get("exitCode"):
            continue
        try:
            error = json.loads(last_words(pod))["error"]
            told = Trouble(reason=str(error["reason"]), message=str(error["message"]))
        except (ValueError, KeyError, TypeError):
            return of_pod(pod), False
        return told, ended["exitCode"] == _PERMANENT_EXIT_CODE
    return None, False


def _ended_well(pod: Manifest) -> bool:
    return bool((pod.get("status") or {}).get("phase") == "Succeeded" and last_words(pod))


def _is_of(pod: Manifest, job: Manifest) -> bool:
    """Whether this Job started it, not an earlier one of the same name."""
    owners = pod["metadata"].get("ownerReferences") or ()
    return any(owner["uid"] == job["metadata"]["uid"] for owner in owners)


def _ended(pod: Manifest) -> Manifest | None:
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        for name in ("state", "lastState"):
            if ended := (container.get(name) or {}).get("terminated"):
                return dict(ended)
    return None


def last_words(pod: Manifest) -> str:
    """The termination message of a pod's container; empty where there is none."""
    return str((_ended(pod) or {}).get("message") or "")


def _has_condition(job: Manifest, wanted: str) -> bool:
    return _condition_time(job, wanted) is not None


def _condition_time(job: Manifest, wanted: str) -> str | None:
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition.get("type") == wanted and condition.get("status") == "True":
            return str(condition.get("lastTransitionTime") or "")
    return None


def _job_message(job: Manifest) -> str:
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Failed" and condition.get("message"):
            return str(condition["message"])
    return "the fetch Job failed"


def is_fetch(manifest: Manifest) -> bool:
    """Whether an object belongs to fetching."""
    return component_of(manifest) == Component.FETCH
