"""Which file `--experts` means."""

from __future__ import annotations

from pathlib import Path

from remoe_functions.checkpoint.blocks import BlockFormat
from remoe_functions.checkpoint.sidecar import SERVED, sidecar_file
from remoe_functions.cli.failure import CommandError

STORED = "stored"
BITS = {BlockFormat.Q8: 8, BlockFormat.Q4: 4}


def chosen_experts(model: str, directory: Path, choice: str) -> Path | None:
    """The sidecar to serve, or None for the checkpoint's own experts.

    Args:
        model: the model, as the user named it.
        directory: its folder.
        choice: `stored`, `q8`, `q4`, or a sidecar's file.

    Raises:
        CommandError: there is no such file; says what makes it.
    """
    if choice == STORED:
        return None
    named = choice in SERVED
    path = sidecar_file(directory, BlockFormat(choice)) if named else Path(choice)
    if path.is_file():
        return path
    if named:
        raise CommandError(
            f"there are no {choice} experts of {model}: "
            f"`remoe quantize {model} --bits {BITS[BlockFormat(choice)]}` makes them"
        )
    allowed = ", ".join((STORED, *SERVED))
    raise CommandError(
        f"experts must be {allowed} or a file made by `remoe quantize`, got {choice}"
    )
