"""`remoe quantize`: a model's experts in fewer bits, made once."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from remoe_functions.cli.options import Json, Model

if TYPE_CHECKING:
    from remoe_functions.checkpoint.blocks import BlockFormat


def quantize(
    model: Model,
    bits: Annotated[int, typer.Option(help="Bits of a weight: 8 or 4.")] = 8,
    output: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="File to write.", show_default="beside the model"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Round the routed experts to 8 or 4 bits, into a file beside the model.

    The model itself stays as it is. Serve them with `remoe serve MODEL --experts q8` (or q4).

    For example:

        remoe quantize ./model --bits 4
        remoe quantize hf://org/name --bits 8 --output experts-q8.safetensors
    """
    from remoe_functions.checkpoint.sidecar import sidecar_file
    from remoe_functions.cli.experts_choice import BITS
    from remoe_functions.cli.failure import CommandError
    from remoe_functions.source.source import resolve

    formats = {count: precision for precision, count in BITS.items()}
    if bits not in formats:
        raise CommandError(f"--bits must be 8 or 4, got {bits}")
    directory = resolve(model).directory
    path = output or sidecar_file(directory, formats[bits])
    before, after = _make(directory, formats[bits], path)
    if as_json:
        made = {"file": str(path), "bytes": after, "expertsBytesBefore": before}
        typer.echo(json.dumps(made))
        return
    typer.echo(f"{path}: {after / 1e6:.0f} MB; the experts had {before / 1e6:.0f} MB")


def _make(directory: Path, precision: BlockFormat, path: Path) -> tuple[int, int]:
    """Make the file, with a progress bar; (bytes of the experts before, of the file)."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from remoe_functions.checkpoint.checkpoint import Checkpoint
    from remoe_functions.quantized.making import quantize as make

    checkpoint = Checkpoint.open(directory)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    try:
        console, silent = Console(file=sys.stderr), not sys.stderr.isatty()
        with Progress(*columns, console=console, transient=True, disable=silent) as bar:
            task = bar.add_task("experts", total=None)
            make(
                checkpoint,
                precision,
                path,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
        shape = checkpoint.architecture
        return shape.expert_count * shape.expert_bytes, path.stat().st_size
    finally:
        checkpoint.close()
