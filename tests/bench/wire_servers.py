"""The servers of the wire's bench: each is `serve(size)` in a process of its own.

It prints its address and ends with its stdin. What calls them is in `wire.py`.
"""

from __future__ import annotations

import socket
import tempfile
import threading
from functools import lru_cache
from pathlib import Path

import numpy as np

from remoe_functions.wire.frame import decode_call, encode_answer, encode_welcome
from remoe_functions.wire.header import HEADER_BYTES, Kind, unpack
from remoe_functions.wire.limits import Limits
from remoe_functions.wire.message import Answer, Call, WireDtype
from remoe_functions.wire.server import Server

TOKEN = "bench"
GRPC_OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


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
