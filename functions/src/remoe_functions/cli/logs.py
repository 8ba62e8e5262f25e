"""`remoe logs`: what the parts of a service in the cluster say."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Option

from remoe_functions.cli.cluster.options import Namespace, Service


def logs(
    name: Service,
    namespace: Namespace = None,
    part: Annotated[
        str, Option(metavar="main|fetch|gateway|FUNCTION", help="Whose; see `remoe status NAME`.")
    ] = "main",
    follow: Annotated[
        bool, Option("--follow", "-f", help="Go on with new lines, and with pods that wake.")
    ] = False,
    lines: Annotated[int, Option(min=1, help="Latest lines of each pod.")] = 100,
    previous: Annotated[
        bool, Option(help="Of the container that ran before the last restart.")
    ] = False,
) -> None:
    """Show the logs of a service's pods: the main model's, or those of another part.

    For example:

        remoe logs demo
        remoe logs demo --part experts-1 --follow
        remoe logs demo --part fetch -n models
    """
    from remoe_functions.cli.cluster import logs_of
    from remoe_functions.cli.cluster.connection import Cluster

    cluster = Cluster.current(namespace)
    cluster.service(name)
    wish = logs_of.LogWish(service=name, part=part, lines=lines, previous=previous)
    (logs_of.follow if follow else logs_of.show_once)(cluster, wish, typer.echo)
