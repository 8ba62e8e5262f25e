"""`remoe status`: what a service in the cluster is doing, and what is wrong with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from remoe_functions.cli.cluster.options import Namespace
from remoe_functions.cli.options import Json

if TYPE_CHECKING:
    from remoe_functions.cli.cluster.connection import Cluster


def status(
    name: Annotated[
        str | None, Argument(metavar="[NAME]", help="A MoEService.", show_default="all of them")
    ] = None,
    namespace: Namespace = None,
    all_namespaces: Annotated[
        bool, Option("--all-namespaces", "-A", help="Of the whole cluster.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show services of the cluster: conditions, parts, plan, cost, latest changes and events.

    The cluster is the current one of your kubeconfig, as for kubectl.

    For example:

        remoe status
        remoe status demo -n models
        remoe status demo --json
    """
    from remoe_functions.cli.cluster.connection import Cluster

    cluster = Cluster.current(namespace)
    if name is None:
        _show_all(cluster, everywhere=all_namespaces, as_json=as_json)
    else:
        _show_one(cluster, name, as_json=as_json)


def _show_all(cluster: Cluster, *, everywhere: bool, as_json: bool) -> None:
    from remoe_functions.cli.cluster.status_words import overview
    from remoe_functions.cli.cluster.view import ServiceView

    found = cluster.services(everywhere=everywhere)
    if as_json:
        typer.echo(json.dumps(list(found), indent=2))
    elif not found:
        where = f"namespace {cluster.namespace}; -A looks in all of them"
        typer.echo(f"No MoEServices in {'the cluster' if everywhere else where}.")
    else:
        typer.echo("\n".join(overview(map(ServiceView, found))))


def _show_one(cluster: Cluster, name: str, *, as_json: bool) -> None:
    from remoe_functions.cli.cluster.status_words import report
    from remoe_functions.cli.cluster.view import ServiceView

    found = cluster.service(name)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    typer.echo("\n".join(report(ServiceView(found), cluster.events(found["metadata"]["uid"]))))
