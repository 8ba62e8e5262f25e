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
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from remoe_functions.wire.client import Connection
from remoe_functions.wire.frame import decode_call, encode_answer, encode_welcome
from remoe_functions.wire.header import HEADER_BYTES, PAIR_BYTES, Kind, unpack
from remoe_functions.wire.limits import Limits
from remoe_functions.wire.message import Answer, Call, WireDtype
from remoe_functions.wire.server import Server

HIDDEN = 2_048
EXPERTS_PER_ROW = 2
ROWS = (1, 16, 512)
CALLS_PER_ROUND = {1: 100, 16: 100, 512: 10}
TARGETS = {1: 1.5, 16: 1.5, 512: 2.0}
WARM_UP_ROUNDS = 3
TOKEN = "bench"
RAW = "raw TCP echo"
OURS = "framed TCP, threads"


# Servers: each is `serve(size)` in its own process; prints its address, ends with its stdin.


def announce(address: str) -> None:
    print(address, flush=True)


def echo_on(listener: socket.socket, nbytes: int) -> None:
    connection, _ = listener.accept()
    if connection.family == socket.AF_INET:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    view = memoryview(bytearray(nbytes))
    while receive_all(connection, view):
        connection.sendall(view)


def receive_all(connection: socket.socket, view: memoryview) -> bool:
    left = view
    while left:
        count = connection.recv_into(left)
        if not count:
            return False
        left = left[count:]
    return True


def serve_raw(nbytes: int) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    announce(str(listener.getsockname()[1]))
    echo_on(listener, nbytes)


def serve_unix(nbytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "echo")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        announce(path)
        echo_on(listener, nbytes)


def echo_call(call: Call) -> Answer:
    dtype = call.answer_dtype
    rows = call.rows if dtype is call.dtype else sums(call.rows.shape, dtype)
    return Answer(call_id=call.call_id, rows=rows, dtype=dtype, busy_seconds=0.0)


@lru_cache
def sums(shape: tuple[int, int], dtype: WireDtype) -> np.ndarray:
    return np.ones(shape, dtype.numpy)


def serve_ours(nbytes: int) -> None:
    server = Server(echo_call, token=TOKEN)
    announce(str(server.start()))
    threading.Event().wait()


def serve_uvloop(nbytes: int) -> None:
    import asyncio

    import uvloop

    class Protocol(asyncio.BufferedProtocol):
        """Our frames on an event loop; rows are received straight into their buffer too."""

        def connection_made(self, transport):
            self.transport = transport
            self.expect_header()

        def expect_header(self):
            self.header = None
            self.buffer = bytearray(HEADER_BYTES)
            self.view = memoryview(self.buffer)

        def get_buffer(self, hint):
            return self.view

        def buffer_updated(self, count):
            self.view = self.view[count:]
            if not self.view and self.header is None:
                self.header = unpack(self.buffer)
                self.data = bytearray(HEADER_BYTES + self.header.body_bytes)
                self.view = memoryview(self.data)[HEADER_BYTES:]
            if not self.view:
                self.answer()

        def answer(self):
            frame = encode_welcome(Limits())
            if self.header.kind == Kind.CALL:
                frame = encode_answer(echo_call(decode_call(self.header, self.data)))
            self.transport.writelines([memoryview(b).cast("B") for b in frame.buffers])
            self.expect_header()

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(Protocol, "127.0.0.1", 0)
        announce(str(server.sockets[0].getsockname()[1]))
        await server.serve_forever()

    uvloop.run(run())


def serve_zeromq(nbytes: int) -> None:
    import zmq

    server = zmq.Context().socket(zmq.REP)
    announce(str(server.bind_to_random_port("tcp://127.0.0.1")))
    while True:
        header, _, rows = server.recv_multipart(copy=False)
        array = np.frombuffer(rows, np.uint16)
        server.send_multipart([header, array], copy=False)


def serve_grpc(nbytes: int) -> None:
    from concurrent.futures import ThreadPoolExecutor

    import grpc

    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: request)
    server = grpc.server(ThreadPoolExecutor(1), options=GRPC_OPTIONS)
    generic = grpc.method_handlers_generic_handler("remoe.Function", {"Call": handler})
    server.add_generic_rpc_handlers((generic,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    announce(str(port))
    server.wait_for_termination()


GRPC_OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


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
