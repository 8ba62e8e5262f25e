"""The command line of a fetch. The hub's token comes by environment (HF_TOKEN), never from here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TERMINATION_LOG = Path("/dev/termination-log")
_SCHEMES = ("hf://", "pvc://", "demo://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What is to be fetched, and where to.

    Attributes:
        uri: the model: hf://org/name, pvc://claim/path or demo://.
        revision: branch, tag or commit on the hub; None for the default branch.
        endpoint: the hub's address; None for the environment's ($HF_ENDPOINT), or the public one.
        into: the volume, which gets `model` and `history`; None where `at` is only looked at.
        at: a folder that has the model already; None to fetch it.
        history: make the volume's folder for history in any case.
        host: address on which progress is told.
        port: port for it; 0 takes any free one.
        termination_log: file for the last message; None for standard output alone.
    """

    uri: str
    revision: str | None
    endpoint: str | None
    into: Path
    at: Path | None
    history: bool
    host: str
    port: int
    termination_log: Path | None

    def __post_init__(self) -> None:
        if not self.uri.startswith(_SCHEMES):
            raise ValueError(f"uri must begin with {', '.join(_SCHEMES)}; got {self.uri!r}")
        if self.uri.startswith("pvc://") and self.at is None:
            raise ValueError("at is needed for a pvc:// model: where its claim is mounted")
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"port must be in 0..65535, got {self.port}")

    @property
    def wants_history(self) -> bool:
        """Whether the volume gets a folder for history."""
        return self.history or self.at is None


def parse(argv: Sequence[str]) -> Arguments:
    """Read the command line; exits with a message and status 2 where it is wrong."""
    parser = argparse.ArgumentParser(
        prog="remoe_functions.fetching", description="Bring a model onto a volume."
    )
    add = parser.add_argument
    add("--uri", required=True, help="hf://org/name, pvc://claim/path or demo://")
    add("--revision", help="branch, tag or commit on the hub")
    add("--endpoint", help="the hub's address")
    add("--into", type=Path, default=Path("/data"), help="volume for model/ and history/")
    add("--at", type=Path, help="folder that has the model already: look, fetch nothing")
    add("--history", action="store_true", help="make history/ on the volume, with --at too")
    add("--host", default="0.0.0.0", help="address to tell progress on")  # noqa: S104 - in a pod
    add("--port", type=int, default=8080, help="port for GET /progress, 0 for any")
    add("--termination-log", type=Path, default=_default_log(), help="file for the last message")
    try:
        return Arguments(**vars(parser.parse_args(argv)))
    except ValueError as error:
        parser.error(str(error))


def _default_log() -> Path | None:
    return TERMINATION_LOG if TERMINATION_LOG.exists() else None
