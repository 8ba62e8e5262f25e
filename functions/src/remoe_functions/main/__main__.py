"""`python -m remoe_functions.main`: options, and what can be refused before torch is imported."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from pathlib import Path

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.errors import CheckpointError
from remoe_functions.main.reading_ahead import begin_to_read
from remoe_functions.runtime.last_words import end_when_told, leave_words
from remoe_functions.runtime.tether import Tether

CANNOT_LISTEN = 1
CANNOT_LOAD = 2


def main() -> int:
    """Serve until told to stop; the exit status."""
    end_when_told()
    tether = Tether.from_environment()
    tether.phase("process")
    options = _parser().parse_args()
    try:
        listener = socket.create_server((options.host, options.port), backlog=1024)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        leave_words(f"cannot listen on {options.host}:{options.port}: {reason}")
        return CANNOT_LISTEN
    try:
        begin_to_read(Checkpoint.open(options.model, sidecar=options.experts), options.plan)
    except CheckpointError as error:
        leave_words(str(error))
        return CANNOT_LOAD
    # Torch's threads sleep between products: spinning, they would take the cores of the native
    # kernel's and of the expert functions beside this process.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from remoe_functions.main.lean_imports import import_transformers

    import_transformers()
    from remoe_functions.main.process import run

    tether.phase("imports")
    token = os.environ.get("REMOE_FUNCTION_TOKEN", "")
    return run(options, listener, tether, token)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m remoe_functions.main", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="checkpoint folder")
    parser.add_argument("--experts", type=Path, help="file of quantized experts to serve")
    parser.add_argument("--plan", type=Path, help="plan as JSON; without it all experts are local")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--max-batch", type=int, default=8, help="requests decoded together")
    parser.add_argument("--max-context", type=int, help="tokens of prompt and answer")
    parser.add_argument("--max-waiting", type=int, default=64, help="requests that may queue")
    parser.add_argument("--dtype", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--history", type=Path, help="folder for activation history")
    parser.add_argument("--history-bytes", type=int, help="bound of it; the oldest goes first")
    parser.add_argument("--call-seconds", type=float, default=2.0, help="bound of a remote call")
    parser.add_argument("--drain-seconds", type=float, default=45.0)
    parser.add_argument(
        "--endpoint",
        action="append",
        default=[],
        metavar="NAME=HOST:PORT",
        help="a function started by hand; may be given several times",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
