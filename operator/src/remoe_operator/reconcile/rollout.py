"""How a changed plan reaches the pods without a failed request.

New functions first, then the main model and the gateway, and old functions last: a main model
never has a plan whose functions are not there, and no function goes while a pod may call it.
"""

from __future__ import annotations

from dataclasses import dataclass

from remoe_operator.children import labels
from remoe_operator.children.labels import Component
from remoe_operator.children.names import plan as plan_name
from remoe_operator.cluster.kinds import Manifest
from remoe_operator.reconcile.observed import (
    Observed,
    component_of,
    desired_replicas,
    label,
    plan_of_template,
    ready_replicas,
)
from remoe_operator.reconcile.plans import Choice, StoredPlan
from remoe_operator.reconcile.times import seconds_since

PATIENCE_SECONDS = 120.0
"""How long the main model waits for new functions; then it computes their experts itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Where the plans stand.

    Attributes:
        main: the plan that the main model's pods are to run.
        hold_main: whether its Deployment stays as it is meanwhile.
        functions: the plans whose functions are to be there, the newest first.
        wake: whether the newest plan's functions are made awake.
        waiting_for: names of functions that the main model still waits for.
    """

    main: StoredPlan
    hold_main: bool = False
    functions: tuple[StoredPlan, ...] = ()
    wake: bool = False
    waiting_for: tuple[str, ...] = ()

    @property
    def digests(self) -> frozenset[str]:
        return frozenset(stored.plan.digest for stored in self.functions)


def rollout(observed: Observed, choice: Choice) -> Rollout | None:
    """Where the plans stand; None where none is chosen."""
    target = choice.target
    if target is None:
        return None
    running = choice.by_digest(plan_of_template(observed.main)) if observed.main else None
    changing = running is not None and running.plan.digest != target.plan.digest
    awake = changing and observed.main is not None and desired_replicas(observed.main) > 0
    missing = _not_ready(observed, target) if awake else ()
    waits = bool(missing) and not _waited_enough(observed, target)
    main = running if waits and running is not None else target
    used = digests_in_use(observed) | {main.plan.digest, target.plan.digest}
    others = (s for s in choice.stored if s.plan.digest in used and s is not target)
    return Rollout(
        main=main,
        hold_main=waits,
        functions=(target, *others),
        wake=awake,
        waiting_for=missing if waits else (),
    )


def _not_ready(observed: Observed, target: StoredPlan) -> tuple[str, ...]:
    """Functions of a plan that are not there, or that should be up and are not."""
    there = {
        label(d, labels.PART): d
        for d in observed.deployments(Component.FUNCTION)
        if label(d, labels.PLAN) == target.plan.digest
    }
    return tuple(f.name for f in target.plan.plan.functions if not _is_up(there.get(f.name)))


def _is_up(deployment: Manifest | None) -> bool:
    if deployment is None:
        return False
    return desired_replicas(deployment) == 0 or ready_replicas(deployment) > 0


def _waited_enough(observed: Observed, target: StoredPlan) -> bool:
    waited = seconds_since(target.chosen_at, observed.now)
    return waited is None or waited > PATIENCE_SECONDS


def digests_in_use(observed: Observed) -> frozenset[str]:
    """Plans that a pod of the main model or of the gateway still goes by."""
    mains = [pod for pod in observed.pods if component_of(pod) == Component.MAIN]
    by_label = {label(pod, labels.PLAN) for pod in mains if _runs(pod)}
    mounting = [pod for pod in observed.gateway_pods if _runs(pod)]
    mounting += [observed.gateway["spec"]["template"]] if observed.gateway else []
    prefix = plan_name(observed.service.name, "")
    mounted = {name for pod in mounting for name in _config_maps(pod)}
    by_mount = {name.removeprefix(prefix) for name in mounted if name.startswith(prefix)}
    return frozenset(by_label | by_mount) - {""}


def _runs(pod: Manifest) -> bool:
    """Whether a pod may still call functions; one that drains may."""
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def _config_maps(pod: Manifest) -> set[str]:
    found: set[str] = set()
    for volume in pod["spec"].get("volumes") or ():
        sources = (volume.get("projected") or {}).get("sources") or ()
        for holder in (volume, *sources):
            config = holder.get("configMap") or {}
            found.add(str(config.get("name", "")))
    return found
