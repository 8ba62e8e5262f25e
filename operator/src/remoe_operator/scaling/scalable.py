"""The parts of a service that can be scaled, as its last pass found them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from remoe_operator.children import labels, ports
from remoe_operator.children.labels import Component
from remoe_operator.cluster.kinds import Manifest
from remoe_operator.reconcile.conditions import Findings
from remoe_operator.reconcile.observed import Observed, desired_replicas, label
from remoe_operator.resource.duration import seconds_of
from remoe_operator.resource.spec import MainSpec
from remoe_operator.scaling.deciding import Limits
from remoe_planner.plan import FunctionPlan

_CALLS_PER_REPLICA = 2
"""One that is computed, and one that is read or written meanwhile."""

_STEADY_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalable:
    """A Deployment, its pods and its limits.

    Attributes:
        deployment: as read; its version guards against what happened since.
        pods: that are not on their way out.
        port: where they answer `/activity`.
        limits: see there.
    """

    deployment: Manifest
    pods: tuple[Manifest, ...]
    port: int
    limits: Limits

    @property
    def uid(self) -> str:
        return str(self.deployment["metadata"]["uid"])

    @property
    def name(self) -> str:
        return str(self.deployment["metadata"]["name"])

    @property
    def replicas(self) -> int:
        return desired_replicas(self.deployment)

    @property
    def needs_a_look(self) -> bool:
        """Whether there is anything to decide: one that sleeps as it may is left alone."""
        return self.replicas > 0 or self.limits.least > 0


def scalables_of(findings: Findings) -> tuple[Scalable, ...]:
    """The main model and the functions of every plan that is in use."""
    observed, stage = findings.observed, findings.stage
    made = list(_main(observed))
    plans = stage.functions if stage else ()
    by_name = {
        (stored.plan.digest, function.name): function
        for stored in plans
        for function in stored.plan.plan.functions
    }
    return (*made, *_functions(observed, by_name))


def _main(observed: Observed) -> Iterator[Scalable]:
    if observed.main is not None:
        yield Scalable(
            deployment=observed.main,
            pods=observed.pods_of(observed.main),
            port=ports.API,
            limits=main_limits(observed.service.spec.main),
        )


def main_limits(spec: MainSpec) -> Limits:
    """What the main model is scaled within."""
    return Limits(
        least=spec.min_replicas,
        most=spec.max_replicas,
        per_replica=spec.max_batch,
        idle_seconds=seconds_of(spec.idle_timeout),
    )


def _functions(
    observed: Observed, by_name: Mapping[tuple[str, str], FunctionPlan]
) -> Iterator[Scalable]:
    for deployment in observed.deployments(Component.FUNCTION):
        key = (label(deployment, labels.PLAN), label(deployment, labels.PART))
        if key in by_name:
            yield Scalable(
                deployment=deployment,
                pods=observed.pods_of(deployment),
                port=ports.FUNCTION_HTTP,
                limits=function_limits(by_name[key]),
            )


def function_limits(plan: FunctionPlan) -> Limits:
    """What a function is scaled within."""
    return Limits(
        least=plan.min_replicas,
        most=plan.max_replicas,
        per_replica=_CALLS_PER_REPLICA,
        idle_seconds=plan.keep_alive_seconds,
        steady_seconds=_STEADY_SECONDS,
    )
