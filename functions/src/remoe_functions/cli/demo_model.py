"""`remoe demo-model`: a real Mixture-of-Experts model, without any model hub."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from remoe_functions.cli.options import Json


def demo_model(
    directory: Annotated[
        Path, typer.Argument(file_okay=False, help="Folder to make; 1.4 GB of weights.")
    ],
    as_json: Json = False,
) -> None:
    """Assemble the demo model: SmolLM2-135M-Instruct grown to 8 experts a layer.

    Does nothing where the folder holds it already.

    For example:

        remoe demo-model ./model
        remoe serve ./model
    """
    import json

    made = assemble_shown(directory)
    typer.echo(json.dumps({"directory": str(made)}) if as_json else f"The model is in {made}")


def assemble_shown(directory: Path) -> Path:
    """The demo model's folder, made if need be, with a progress bar on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from remoe_functions.demo_model.assemble import assemble

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("looking", total=None)

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        return assemble(directory, progress=show)
