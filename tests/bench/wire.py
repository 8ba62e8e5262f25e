"""Whole calls with an empty forward over several wires, against a raw TCP echo of the same rows.

    python tests/bench/wire.py [--json FILE] [--rounds N] [--runs N]

Every wire has its server in a process of its own and takes its turn in every round, so that what
the machine does meanwhile happens to all of them. The raw echo is a `recv_into` loop and a
`sendall` on both sides, of as many bytes as a call has on our wire, which a server must have whole
before it answers. Rows are bfloat16, and so are answers, but for the wires that are named after
what partial sums travel in.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from wire_servers import (
    GRPC_OPTIONS,
    TOKEN,
    receive_all,
    serve_grpc,
    serve_ours,
    serve_raw,
    serve_unix,
    serve_uvloop,
    serve_zeromq,
)

from remoe_functions.wire.client import Connection
from remoe_functions.wire.header import HEADER_BYTES, PAIR_BYTES
from remoe_functions.wire.message import Call, WireDtype

HIDDEN = 2_048
EXPERTS_PER_ROW = 2
ROWS = (1, 16, 512)
CALLS_PER_ROUND = {1: 100, 16: 100, 512: 10}
TARGETS = {1: 1.5, 16: 1.5, 512: 2.0}
WARM_UP_ROUNDS = 3
RAW = "raw TCP echo"
OURS = "framed TCP, threads"


# Clients: each `connect(address, rows)` returns a function that makes one whole call.


def call_raw(address: str, rows: np.ndarray) -> Callable[[], None]:
    connection = socket.create_connection(("127.0.0.1", int(address)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return echo_through(connection, rows)


def call_unix(address: str, rows: np.ndarray) -> Callable[[], None]:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    return echo_through(connection, rows)


def call_bytes(row_count: int) -> int:
    return HEADER_BYTES + row_count * (HIDDEN * 2 + EXPERTS_PER_ROW * PAIR_BYTES)


def echo_through(connection: socket.socket, rows: np.ndarray) -> Callable[[], None]:
    payload = bytes(call_bytes(len(rows)))
    view = memoryview(bytearray(len(payload)))

    def call() -> None:
        connection.sendall(payload)
        receive_all(connection, view)

    return call


def call_framed(
    address: str, rows: np.ndarray, answer_dtype: WireDtype = WireDtype.BFLOAT16
) -> Callable[[], None]:
    connection = Connection.open("127.0.0.1", int(address), token=TOKEN, timeout_seconds=5)
    pairs = len(rows) * EXPERTS_PER_ROW
    token_rows = np.arange(pairs, dtype=np.uint32) // EXPERTS_PER_ROW
    experts = np.zeros(pairs, np.uint16)
    weights = np.ones(pairs, np.float32)

    def call() -> None:
        connection.send(
            Call(
                call_id=1,
                deadline_seconds=5.0,
                layer=0,
                rows=rows,
                dtype=WireDtype.BFLOAT16,
                answer_dtype=answer_dtype,
                token_rows=token_rows,
                experts=experts,
                weights=weights,
            )
        )
        connection.receive(1, timeout_seconds=5.0)

    return call


def call_zeromq(address: str, rows: np.ndarray) -> Callable[[], None]:
    import zmq

    client = zmq.Context().socket(zmq.REQ)
    client.connect(f"tcp://127.0.0.1:{address}")
    header, pairs = bytes(HEADER_BYTES), bytes(len(rows) * EXPERTS_PER_ROW * PAIR_BYTES)

    def call() -> None:
        client.send_multipart([header, pairs, rows], copy=False)
        np.frombuffer(client.recv_multipart(copy=False)[1], np.uint16)

    return call


def call_grpc(address: str, rows: np.ndarray) -> Callable[[], None]:
    import grpc

    channel = grpc.insecure_channel(f"127.0.0.1:{address}", options=GRPC_OPTIONS)
    pairs = bytes(len(rows) * EXPERTS_PER_ROW * PAIR_BYTES)
    method = channel.unary_unary("/remoe.Function/Call")

    def call() -> None:
        np.frombuffer(method(pairs + rows.tobytes()), np.uint8)

    return call


@dataclass(frozen=True, slots=True)
class Wire:
    name: str
    serve: Callable[[int], None]
    connect: Callable[[str, np.ndarray], Callable[[], None]]


WIRES = (
    Wire(RAW, serve_raw, call_raw),
    Wire(OURS, serve_ours, call_framed),
    Wire(f"{OURS}, float32", serve_ours, partial(call_framed, answer_dtype=WireDtype.FLOAT32)),
    Wire(f"{OURS}, float64", serve_ours, partial(call_framed, answer_dtype=WireDtype.FLOAT64)),
    Wire("framed TCP, uvloop server", serve_uvloop, call_framed),
    Wire("ZeroMQ", serve_zeromq, call_zeromq),
    Wire("gRPC", serve_grpc, call_grpc),
    Wire("raw Unix socket echo", serve_unix, call_unix),
)


def start_server(wire: Wire, nbytes: int, core: int) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--serve", wire.name, "--bytes", str(nbytes)]
    command += ["--core", str(core)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def take_core(core: int) -> None:
    """Keep this process on one core; servers have another than the client where there are two.

    A main model and a function have cores of their own. Left alone on an idle machine, the kernel
    moves both ends of the smallest echo onto one core, where waking the other end is nearly free.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


def end_with_parent() -> None:
    """The server's end: the parent's is the only other end of our stdin."""

    def wait() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def measure(row_count: int, rounds: int, server_core: int) -> dict[str, list[float]]:
    """Seconds of every call, by wire."""
    rows = np.random.default_rng(0).integers(0, 2**16, (row_count, HIDDEN), np.uint16)
    nbytes = call_bytes(row_count)
    servers = {wire.name: start_server(wire, nbytes, server_core) for wire in WIRES}
    try:
        calls = {
            wire.name: wire.connect(servers[wire.name].stdout.readline().strip(), rows)
            for wire in WIRES
        }
        seconds: dict[str, list[float]] = {wire.name: [] for wire in WIRES}
        for turn in range(WARM_UP_ROUNDS + rounds):
            for name, call in calls.items():
                taken = [time_one(call) for _ in range(CALLS_PER_ROUND[row_count])]
                if turn >= WARM_UP_ROUNDS:
                    seconds[name] += taken
        return seconds
    finally:
        for server in servers.values():
            server.kill()
            server.communicate()


def time_one(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def summarize(row_count: int, seconds: dict[str, list[float]]) -> list[dict[str, object]]:
    raw = statistics.median(seconds[RAW])
    return [
        {
            "rows": row_count,
            "wire": name,
            "p50_us": round(statistics.median(values) * 1e6, 1),
            "p99_us": round(statistics.quantiles(values, n=100)[98] * 1e6, 1),
            "ratio": round(statistics.median(values) / raw, 2),
            "calls": len(values),
        }
        for name, values in seconds.items()
    ]


def print_table(lines: list[dict[str, object]]) -> None:
    print(f"{'rows':>4}  {'wire':<30}{'p50 us':>9}{'p99 us':>9}{'x raw':>7}  target")
    for line in lines:
        target = f"<= {TARGETS[line['rows']]}" if line["wire"] == OURS else ""
        print(
            f"{line['rows']:>4}  {line['wire']:<30}{line['p50_us']:>9}{line['p99_us']:>9}"
            f"{line['ratio']:>7}  {target}"
        )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=40, help="turns of each wire in a run")
    parser.add_argument("--runs", type=int, default=1, help="how often all of it is done")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--bytes", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    arguments = parse()
    if arguments.serve:
        end_with_parent()
        take_core(arguments.core)
        next(wire for wire in WIRES if wire.name == arguments.serve).serve(arguments.bytes)
        return
    client_core, *_, server_core = cores() * 2
    take_core(client_core)
    runs = []
    for _ in range(arguments.runs):
        runs.append(
            [
                line
                for rows in ROWS
                for line in summarize(rows, measure(rows, arguments.rounds, server_core))
            ]
        )
        print_table(runs[-1])
    if arguments.json:
        arguments.json.write_text(json.dumps({"runs": runs}, indent=2) + "\n")


if __name__ == "__main__":
    main()
