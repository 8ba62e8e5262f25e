"""`remoe plan --cluster`: the plan that a service runs by, and the one that waits for approval."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from remoe_functions.cli.cluster.options import Namespace, Service
from remoe_functions.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from remoe_functions.cli.cluster.view import ServiceView

APPROVAL = "remoe.dev/approve"


def plan_of_cluster(
    name: Service,
    namespace: Namespace = None,
    approve: Annotated[bool, Option("--approve", help="Approve the proposed plan.")] = False,
    as_json: Json = False,
) -> None:
    """Show the plan of a service in the cluster, and the one that waits for approval.

    Services with `autoApply: false` keep their plan until the next one is approved here, or by
    the annotation remoe.dev/approve with the plan's digest.

    For example:

        remoe plan --cluster demo
        remoe plan --cluster demo --approve
    """
    from remoe_functions.cli.cluster.connection import Cluster
    from remoe_functions.cli.cluster.view import ServiceView

    cluster = Cluster.current(namespace)
    service = ServiceView(cluster.service(name))
    if approve:
        digest = _proposed_digest(service)
        cluster.annotate(name, {APPROVAL: digest})
        see = f"see `remoe status {service.arguments}`"
        typer.echo(f"Plan {digest} of {name} is approved; {see}.", err=as_json)
    elif not as_json:
        typer.echo("\n".join(_lines(service)))
    if as_json:
        body = {"plan": service.plan, "proposedPlan": service.proposed}
        typer.echo(json.dumps(body, indent=2))


def _proposed_digest(service: ServiceView) -> str:
    from remoe_functions.cli.failure import CommandError

    if service.proposed is None:
        raise CommandError(f"no plan of {service.name} waits for approval")
    return str(service.proposed["digest"])


def _lines(service: ServiceView) -> Iterator[str]:
    from remoe_functions.cli.cluster.plan_words import in_full

    if service.plan is None and service.proposed is None:
        yield f"{service.name} has no plan yet ({service.ready.reason}): {service.ready.message}"
    if service.plan is not None:
        yield "Plan in force"
        yield from in_full(service.plan)
    if service.proposed is not None:
        yield "Proposed plan"
        yield from in_full(service.proposed)
        yield f"Approve it with: remoe plan --cluster {service.arguments} --approve"
