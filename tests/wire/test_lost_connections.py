from __future__ import annotations

import socket
import struct
import threading

import pytest

from remoe_functions.wire.client import Connection
from remoe_functions.wire.errors import CallTimedOut, ConnectionLost
from remoe_functions.wire.frame import encode_answer


def answer_bytes(world, call_id=1):
    frame = encode_answer(world.echo(world.call(call_id)))
    return b"".join(bytes(part) for part in frame.buffers)


@pytest.mark.parametrize("part", [0, 1, 20, 64, 68, 95])
def test_half_an_answer_is_a_lost_connection(world, part):
    def play(raw, reader):
        reader.read()
        raw.sendall(answer_bytes(world)[:part])

    world.script(play)
    connection = world.connect()
    connection.send(world.call())
    with pytest.raises(ConnectionLost, match="closed the connection"):
        connection.receive(1, timeout_seconds=5)
    with pytest.raises(ConnectionLost):
        connection.send(world.call(2))


def test_a_reset_is_a_lost_connection_for_every_call_in_flight(world):
    def play(raw, reader):
        for _ in range(2):
            reader.read()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    world.script(play)
    connection = world.connect()
    connection.send(world.call(1))
    connection.send(world.call(2))
    for call_id in (1, 2):
        with pytest.raises(ConnectionLost):
            connection.receive(call_id, timeout_seconds=5)


def test_nobody_listening_is_a_lost_connection():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ConnectionLost, match=f"127.0.0.1:{port} cannot be reached"):
        Connection.open("127.0.0.1", port, token="t", timeout_seconds=1)


def test_a_server_that_never_greets_is_a_lost_connection():
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(ConnectionLost, match="did not greet in time"),
    ):
        Connection.open("127.0.0.1", silent.getsockname()[1], token="t", timeout_seconds=0.2)


def test_an_answer_that_dribbles_does_not_stretch_the_timeout(world):
    ended = threading.Event()

    def play(raw, reader):
        reader.read()
        for byte in answer_bytes(world):
            raw.sendall(bytes([byte]))
            if ended.wait(0.05):
                return

    world.script(play)
    connection = world.connect()
    connection.send(world.call())
    with pytest.raises(CallTimedOut):
        connection.receive(1, timeout_seconds=0.3)
    ended.set()


def test_a_call_that_cannot_leave_breaks_the_connection_after_its_deadline(world):
    ended = threading.Event()
    world.script(lambda raw, reader: ended.wait(10))
    connection = world.connect()
    with pytest.raises(CallTimedOut):
        connection.send(world.call(rows=8_000, hidden=4_096, deadline_seconds=0.3))
    ended.set()
    assert connection.is_broken


def test_a_closed_connection_says_so(world):
    world.serve()
    connection = world.connect()
    connection.send(world.call())
    connection.close()
    with pytest.raises(ConnectionLost, match="closed here"):
        connection.receive(1, timeout_seconds=5)
