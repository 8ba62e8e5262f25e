"""Every object that ought to be there for a service, given how far it has come."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Iterable, Iterator
from copy import deepcopy

from remoe_operator.children import labels, names
from remoe_operator.children.facts_config import ModelFacts, facts_config
from remoe_operator.children.foundation import foundation
from remoe_operator.children.function import functions
from remoe_operator.children.labels import Component
from remoe_operator.children.main import main
from remoe_operator.children.manifest import owned
from remoe_operator.children.service import Service
from remoe_operator.cluster.kinds import CONFIG_MAP, DEPLOYMENT, JOB, SECRET, Manifest, kind_of
from remoe_operator.reconcile.fetching import CLAIM_UID, Fetch, FetchPhase, claim_uid
from remoe_operator.reconcile.observed import Observed, component_of, label
from remoe_operator.reconcile.plans import Choice
from remoe_operator.reconcile.rollout import Rollout, digests_in_use
from remoe_operator.settings import Settings


def basis(observed: Observed, settings: Settings) -> tuple[Manifest, ...]:
    """What a service stands on: claim, accounts, rights, fences and the functions' token."""
    return (*foundation(observed.service, settings), _token(observed))


def _token(observed: Observed) -> Manifest:
    """The secret that functions know the main model by: drawn once, then kept."""
    service = observed.service
    name = names.token(service.name)
    kept = (observed.child(SECRET, name) or {}).get("data")
    drawn = {"token": b64encode(secrets.token_urlsafe(32).encode()).decode()}
    head = owned(service, "ConfigMap", name, Component.FUNCTION)
    return head | {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.name,
        "type": "Opaque",
        "data": kept or drawn,
    }


def fetched(observed: Observed, fetch: Fetch, job: Manifest) -> Iterator[Manifest]:
    """The Job, until its facts are kept; and the facts."""
    there = observed.child(JOB, job["metadata"]["name"]) is not None
    if (
        not there
        and not fetch.is_current
        and not observed.missing_references.get("model.tokenSecret")
    ):
        yield job
    if fetch.facts is not None and fetch.is_current:
        yield _facts(observed, fetch.facts)


def _facts(observed: Observed, facts: ModelFacts) -> Manifest:
    made = facts_config(observed.service, facts)
    notes = made["metadata"].setdefault("annotations", {})
    notes[CLAIM_UID] = claim_uid(observed)
    return made


def planned(service: Service, choice: Choice, stage: Rollout | None) -> Iterator[Manifest]:
    """ConfigMaps of the plans that are carried out, still used, or wait."""
    kept = set(stage.digests) if stage else set()
    kept |= {s.plan.digest for s in (choice.target, choice.waiting) if s is not None}
    for stored in choice.stored:
        if stored.plan.digest in kept:
            yield stored.manifest(service)


def parts(
    observed: Observed, settings: Settings, facts: ModelFacts, stage: Rollout
) -> Iterator[Manifest]:
    """Functions of every plan in use, then the main model."""
    newest = stage.functions[0]
    for stored in stage.functions:
        made = functions(observed.service, settings, stored.plan)
        yield from map(_awake, made) if stage.wake and stored is newest else made
    for manifest in main(observed.service, settings, facts, stage.main.plan):
        held = stage.hold_main and kind_of(manifest) is DEPLOYMENT
        yield observed.main if held and observed.main is not None else manifest


def _awake(manifest: Manifest) -> Manifest:
    if kind_of(manifest) is not DEPLOYMENT:
        return manifest
    made = deepcopy(manifest)
    made["spec"]["replicas"] = max(int(made["spec"].get("replicas") or 0), 1)
    return made


def unwanted(
    observed: Observed,
    wanted: Iterable[Manifest],
    *,
    job: Manifest,
    fetch: Fetch,
    stage: Rollout | None,
) -> Iterator[Manifest]:
    """Children that ought to go: whatever nobody wants or uses, and a Job that has to run again."""
    keep = {(kind_of(m), m["metadata"]["name"]) for m in wanted}
    again = fetch.failed_job if fetch.due or fetch.phase is FetchPhase.LOST else None
    if again is None:
        keep.add((JOB, job["metadata"]["name"]))
    if not fetch.is_current:  # what is known of earlier weights is known until others are there
        keep.add((CONFIG_MAP, names.facts(observed.service.name)))
    unsure = stage is None or fetch.facts is None
    used = digests_in_use(observed)
    for kind, children in observed.children.items():
        for name, child in children.items():
            if (kind, name) in keep or child["metadata"].get("deletionTimestamp"):
                continue
            if label(child, labels.PLAN) not in used and not (unsure and _is_part(child)):
                yield child


def _is_part(child: Manifest) -> bool:
    """Whether it answers requests: such a thing stays where it is not known what should be."""
    return component_of(child) in (Component.MAIN, Component.FUNCTION)
