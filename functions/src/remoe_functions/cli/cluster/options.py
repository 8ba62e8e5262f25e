"""Options that the cluster commands share, with one wording."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

Namespace = Annotated[
    str | None,
    Option(
        "--namespace", "-n", help="Namespace.", show_default="the current one of the kubeconfig"
    ),
]
Service = Annotated[str, Argument(metavar="NAME", help="Name of the MoEService.")]
