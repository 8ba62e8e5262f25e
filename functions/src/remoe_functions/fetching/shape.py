"""What a folder holds, told by its headers: the last look before it may be called a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_planner.architecture import Architecture


def architecture_of(folder: Path, uri: str) -> Architecture:
    """The model's shape, named after what the user named.

    Raises:
        CheckpointError: it cannot be served; every header is read, and held against the config.
    """
    checkpoint = Checkpoint.open(folder)
    try:
        return replace(checkpoint.architecture, name=uri.partition("://")[2].strip("/") or "demo")
    finally:
        checkpoint.close()
