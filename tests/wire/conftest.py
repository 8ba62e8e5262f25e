from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import numpy as np
import pytest

from remoe_functions.wire.client import Connection
from remoe_functions.wire.frame import encode_welcome
from remoe_functions.wire.limits import Capacity, Limits
from remoe_functions.wire.message import Answer, Call, RefusalCode, WireDtype
from remoe_functions.wire.reader import FrameReader
from remoe_functions.wire.server import Server

TOKEN = "the shared token"


class World:
    """Real servers and real connections, all ended after the test."""

    def __init__(self) -> None:
        self.servers: list[Server] = []
        self.sockets: list[socket.socket] = []
        self.connections: list[Connection] = []
        self.threads: list[threading.Thread] = []
        self.port = 0
        self.refused: list[RefusalCode] = []

    def serve(self, handler=None, *, limits=None, **capacity) -> Server:
        server = Server(
            handler or self.echo,
            token=TOKEN,
            limits=limits,
            capacity=Capacity(**capacity),
            on_refusal=self.refused.append,
        )
        self.port = server.start()
        self.servers.append(server)
        return server

    def connect(self, *, token=TOKEN) -> Connection:
        connection = Connection.open("127.0.0.1", self.port, token=token, timeout_seconds=5)
        self.connections.append(connection)
        return connection

    def dial(self) -> socket.socket:
        raw = socket.create_connection(("127.0.0.1", self.port), 5)
        self.sockets.append(raw)
        return raw

    def script(self, play: Callable[[socket.socket, FrameReader], None]) -> None:
        """A server that shakes hands as it should and then plays its part."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.sockets.append(listener)

        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                reader = FrameReader(connection, lambda header: None)
                reader.read()
                connection.sendmsg(encode_welcome(Limits()).buffers)
                play(connection, reader)

        thread = threading.Thread(target=run)
        thread.start()
        self.threads.append(thread)

    def end(self) -> None:
        for connection in self.connections:
            connection.close()
        for raw in self.sockets:
            raw.close()
        for server in self.servers:
            server.stop()
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()

    @staticmethod
    def echo(call: Call) -> Answer:
        return Answer(call_id=call.call_id, rows=call.rows, dtype=call.dtype, busy_seconds=0.25)

    @staticmethod
    def call(call_id=1, *, rows=2, hidden=8, deadline_seconds=10.0, layer=3) -> Call:
        values = np.random.default_rng(call_id).integers(0, 2**16, (rows, hidden), np.uint16)
        return Call(
            call_id=call_id,
            deadline_seconds=deadline_seconds,
            layer=layer,
            rows=values,
            dtype=WireDtype.BFLOAT16,
            answer_dtype=WireDtype.BFLOAT16,
            token_rows=np.arange(rows, dtype=np.uint32),
            experts=np.zeros(rows, np.uint16),
            weights=np.ones(rows, np.float32),
        )


@pytest.fixture
def world():
    world = World()
    yield world
    world.end()
