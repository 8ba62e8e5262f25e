"""The disk works while Python imports: weights are on their way before torch is there.

What cannot be read here is told by whoever needs it later.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.errors import CheckpointError
from remoe_planner.plan import Plan


def begin_to_read(checkpoint: Checkpoint, plan_file: Path | None) -> threading.Thread:
    """Begin to bring all that runs in this process into the system's memory.

    Args:
        checkpoint: closed in the end.
        plan_file: says which experts run here; None for all of them.
    """
    reading = threading.Thread(
        target=_read, args=(checkpoint, plan_file), name="read-ahead", daemon=True
    )
    reading.start()
    return reading


def _read(checkpoint: Checkpoint, plan_file: Path | None) -> None:
    with suppress(CheckpointError, OSError, ValueError):
        checkpoint.read_ahead_shared()
        plan = None if plan_file is None else Plan.from_json(plan_file.read_text())
        architecture = checkpoint.architecture
        checkpoint.read_ahead(architecture.experts if plan is None else plan.local_experts)
    checkpoint.close()
