"""The command line of an expert function. Secrets come by environment, never from here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What the process was asked to be.

    Attributes:
        model: the checkpoint folder.
        experts: file of quantized experts to serve; None for the checkpoint's own.
        plan: the plan's file.
        function: which function of the plan to be.
        host: address to listen on.
        port: port for calls; 0 takes any free one.
        metrics_port: port for health and metrics; 0 takes any free one.
        drain_seconds: how long calls in flight may take to finish after SIGTERM.
    """

    model: Path
    experts: Path | None
    plan: Path
    function: str
    host: str
    port: int
    metrics_port: int
    drain_seconds: float

    def __post_init__(self) -> None:
        for field in ("port", "metrics_port"):
            if not 0 <= getattr(self, field) <= 65_535:
                raise ValueError(f"{field} must be in 0..65535, got {getattr(self, field)}")
        if not 0 <= self.drain_seconds <= 3_600:
            raise ValueError(f"drain_seconds must be in 0..3600, got {self.drain_seconds}")


def parse(argv: Sequence[str]) -> Arguments:
    """Read the command line; exits with a message and status 2 where it is wrong."""
    parser = argparse.ArgumentParser(
        prog="remoe_functions.expert", description="Serve some experts of a model."
    )
    parser.add_argument("--model", type=Path, required=True, help="checkpoint folder")
    parser.add_argument("--experts", type=Path, help="file of quantized experts to serve")
    parser.add_argument("--plan", type=Path, required=True, help="plan file (JSON)")
    parser.add_argument("--function", required=True, help="name of the function in the plan")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port for calls, 0 for any")
    parser.add_argument("--metrics-port", type=int, default=0, help="port for metrics, 0 for any")
    parser.add_argument("--drain-seconds", type=float, default=30.0, help="bound of the drain")
    try:
        return Arguments(**vars(parser.parse_args(argv)))
    except ValueError as error:
        parser.error(str(error))
