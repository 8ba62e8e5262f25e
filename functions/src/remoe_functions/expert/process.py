"""The composition root of an expert function, in the order of its life.

1. read the plan, map the checkpoint, begin to read the function's own experts (`opening`);
2. import what computes them;
3. touch their weights, so that the first call does not wait for the disk;
4. listen, answer a call of its own, say ready;
5. serve until SIGTERM, then drain: new calls are refused, those in flight finish.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from dataclasses import dataclass

from remoe_functions.checkpoint.errors import CheckpointError
from remoe_functions.expert.arguments import Arguments
from remoe_functions.expert.choice import choose_kernel
from remoe_functions.expert.computing import Kernel
from remoe_functions.expert.meter import Meter
from remoe_functions.expert.monitor import Monitor, Watched
from remoe_functions.expert.opening import Opened
from remoe_functions.expert.probe import ProbeError, probe
from remoe_functions.expert.service import ExpertService, mapped_experts
from remoe_functions.expert.startup import CANNOT_START, FIRST_TOUCH, READY
from remoe_functions.expert.stopping import StopSignal
from remoe_functions.runtime.last_words import leave_words
from remoe_functions.runtime.tether import Tether
from remoe_functions.wire.limits import Limits
from remoe_functions.wire.server import Server

TOKEN = "REMOE_FUNCTION_TOKEN"  # noqa: S105 (the variable's name)
CALLS_CUT = 3


class StartError(Exception):
    """The process cannot serve, for a reason none of its parts tells by itself."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loaded:
    """A function's own experts, in memory, and what computes and counts."""

    opened: Opened
    service: ExpertService
    meter: Meter
    kernel: str

    @property
    def hidden_size(self) -> int:
        return self.opened.checkpoint.hidden_size


def run(
    arguments: Arguments, opened: Opened, tether: Tether, monitor: Monitor, *, threads: int
) -> int:
    """Be the function until SIGTERM; returns the process's exit status."""
    stopping = StopSignal()
    try:
        return _live(arguments, opened, tether, monitor, stopping, threads)
    except (CheckpointError, ProbeError, StartError) as error:
        leave_words(f"function {arguments.function}: {error}")
        return CANNOT_START


def _live(
    arguments: Arguments,
    opened: Opened,
    tether: Tether,
    monitor: Monitor,
    stopping: StopSignal,
    threads: int,
) -> int:
    try:
        token = _token()
        loaded = _load(opened, tether, threads)
        limits = Limits(max_hidden=loaded.hidden_size)
        meter = loaded.meter
        server = Server(loaded.service.answer, token=token, limits=limits, on_refusal=meter.refused)
        port = _open(server, arguments, loaded, token)
        tether.phase(READY)
        _announce(arguments, loaded, server, monitor, tether, stopping, port)
        stopping.wait()
        return _drain(server, arguments.drain_seconds)
    finally:
        tether.close()
        monitor.close()


def _load(opened: Opened, tether: Tether, threads: int) -> Loaded:
    kernel = _kernel(threads)
    meter = Meter(opened.function.memory_bytes)
    service = ExpertService(
        mapped_experts(opened.checkpoint, opened.function.experts),
        kernel,
        meter,
        hidden_size=opened.checkpoint.hidden_size,
    )
    opened.touch()
    tether.phase(FIRST_TOUCH)
    return Loaded(opened=opened, service=service, meter=meter, kernel=kernel.name)


def _kernel(threads: int) -> Kernel:
    try:
        return choose_kernel(threads)
    except ValueError as error:
        raise StartError(str(error)) from error


def _open(server: Server, arguments: Arguments, loaded: Loaded, token: str) -> int:
    """Listen, and see that the weights answer; returns the port."""
    try:
        port = server.start(arguments.host, arguments.port)
    except OSError as error:
        raise StartError(f"cannot listen on {arguments.host}:{arguments.port}: {error}") from error
    first = loaded.opened.function.experts[0]
    probe(arguments.host, port, token=token, expert=first, hidden_size=loaded.hidden_size)
    loaded.meter.restart()
    gc.freeze()
    gc.enable()
    return port


def _announce(
    arguments: Arguments,
    loaded: Loaded,
    server: Server,
    monitor: Monitor,
    tether: Tether,
    stopping: StopSignal,
    port: int,
) -> None:
    """Say ready: to probes, to the supervisor, and on standard output."""
    monitor.open(
        Watched(
            function=arguments.function,
            kernel=loaded.kernel,
            meter=loaded.meter,
            is_ready=lambda: not stopping.is_given,
            in_flight=lambda: server.in_flight,
            idle_seconds=lambda: server.idle_seconds,
        )
    )
    tether.ready(arguments.host, port)
    tether.beat(lambda: (server.in_flight, server.idle_seconds))
    address = {"host": arguments.host, "port": port, "metrics_port": monitor.port}
    sys.stdout.write(json.dumps({"ready": address, "function": arguments.function}) + "\n")
    sys.stdout.flush()


def _drain(server: Server, drain_seconds: float) -> int:
    finished = server.drain(drain_seconds)
    server.stop()
    if finished:
        return 0
    sys.stderr.write(f"calls were cut: they took longer than {drain_seconds} s to finish\n")
    return CALLS_CUT


def _token() -> str:
    token = os.environ.pop(TOKEN, "")
    if not token:
        raise StartError(f"{TOKEN} must be set: calls are taken from its holders only")
    return token
