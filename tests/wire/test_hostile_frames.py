from __future__ import annotations

import resource
import socket
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remoe_functions.wire.errors import CallRefused, ConnectionLost, ProtocolError
from remoe_functions.wire.frame import decode_refusal, encode_call, encode_hello
from remoe_functions.wire.header import MAGIC, VERSION, Kind, pack
from remoe_functions.wire.limits import Limits
from remoe_functions.wire.message import RefusalCode, WireDtype
from remoe_functions.wire.reader import FrameReader

HELLO = b"".join(encode_hello("the shared token").buffers)
MANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def greeted(world):
    raw = world.dial()
    raw.sendall(HELLO)
    reader = FrameReader(raw, lambda header: None)
    assert reader.read()[0].kind == Kind.WELCOME
    return raw, reader


def refusal_to(raw, reader, data):
    raw.sendall(data)
    return decode_refusal(*reader.read())


def call_bytes(world, **change):
    return b"".join(bytes(part) for part in encode_call(world.call(**change)).buffers)


def test_a_header_that_claims_exabytes_is_refused_before_memory_is_taken(world):
    world.serve()
    raw, reader = greeted(world)
    rows, hidden = 2**31, 2**28
    header = pack(
        Kind.CALL, code=1, call_id=7, rows=rows, hidden=hidden, body_bytes=rows * hidden * 4
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refusal = refusal_to(raw, reader, header)
    assert (refusal.call_id, refusal.code) == (7, RefusalCode.TOO_LARGE)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # KiB
    with pytest.raises(ConnectionLost):
        reader.read()


@pytest.mark.parametrize(
    ("limits", "field"),
    [
        (Limits(max_rows=1), "rows: 2 is more than 1"),
        (Limits(max_hidden=7), "hidden: 8 is more than 7"),
        (Limits(max_pairs=1), "pairs: 2 is more than 1"),
        (Limits(max_frame_bytes=64), "frame: 116 bytes is more than 64"),
    ],
)
def test_each_limit_refuses_by_its_name_on_both_sides(world, limits, field):
    world.serve(limits=limits)
    raw, reader = greeted(world)
    refusal = refusal_to(raw, reader, call_bytes(world))
    assert refusal.code == RefusalCode.TOO_LARGE
    assert refusal.message == field
    if limits.max_frame_bytes == Limits().max_frame_bytes:
        connection = world.connect()
        connection.send(world.call())
        with pytest.raises(CallRefused, match=f"TOO_LARGE: {field}"):
            connection.receive(1, timeout_seconds=5)


def test_sizes_that_contradict_each_other_are_a_bad_request(world):
    world.serve()
    raw, reader = greeted(world)
    header = pack(Kind.CALL, code=1, call_id=9, rows=2, hidden=2, body_bytes=15)
    refusal = refusal_to(raw, reader, header)
    assert (refusal.call_id, refusal.code) == (9, RefusalCode.BAD_REQUEST)
    assert refusal.message == "body_bytes: got 15, the counts make 16"


def test_a_deadline_that_is_no_number_is_refused(world):
    world.serve()
    raw, reader = greeted(world)
    data = bytearray(call_bytes(world))
    data[16:24] = struct.pack("<d", float("nan"))
    assert refusal_to(raw, reader, data).code == RefusalCode.BAD_REQUEST


@pytest.mark.parametrize(
    ("at", "value", "complaint"),
    [
        (56, 0, "answer_dtype: got 0, known are [1, 2, 3, 4]"),
        (56, 9, "answer_dtype: got 9, known are [1, 2, 3, 4]"),
        (7, int(WireDtype.FLOAT64), "dtype: a call's rows are not float64"),
    ],
)
def test_types_that_no_call_has_are_refused_and_the_connection_lives_on(
    world, at, value, complaint
):
    world.serve()
    raw, reader = greeted(world)
    data = bytearray(call_bytes(world))
    if at == 7:  # so that the sizes still agree: two rows of two
        data[40:44] = struct.pack("<I", 2)
    data[at] = value
    refusal = refusal_to(raw, reader, data)
    assert (refusal.code, refusal.message) == (RefusalCode.BAD_REQUEST, complaint)
    raw.sendall(call_bytes(world))
    assert reader.read()[0].kind == Kind.ANSWER


def test_the_wrong_token_is_unauthorized(world):
    world.serve()
    with pytest.raises(CallRefused, match="UNAUTHORIZED"):
        world.connect(token="another token")


def test_a_call_before_the_hello_is_refused(world):
    server = world.serve()
    raw = world.dial()
    refusal = refusal_to(raw, FrameReader(raw, lambda header: None), call_bytes(world))
    assert refusal.code == RefusalCode.BAD_REQUEST
    assert server.connections == 0


@pytest.mark.parametrize("greet_first", [False, True])
def test_another_version_is_told_so_however_short_its_header(world, greet_first):
    world.serve()
    raw, reader = greeted(world) if greet_first else (world.dial(), None)
    reader = reader or FrameReader(raw, lambda header: None)
    refusal = refusal_to(raw, reader, MAGIC + struct.pack("<HBB", VERSION + 1, 1, 0))
    assert refusal.code == RefusalCode.WRONG_VERSION
    assert refusal.message == f"version: got {VERSION + 1}, this end speaks {VERSION}"


def test_a_server_of_another_version_is_a_protocol_error_for_the_client(world):
    world.script(lambda raw, reader: raw.sendall(MAGIC + struct.pack("<HBB", 9, 5, 0)))
    connection = world.connect()
    connection.send(world.call())
    with pytest.raises(ProtocolError, match="version: got 9"):
        connection.receive(1, timeout_seconds=5)


@MANY
@given(noise=st.binary(min_size=1, max_size=300), is_known=st.booleans())
def test_noise_never_stops_the_server(fuzzed, noise, is_known):
    with socket.create_connection(("127.0.0.1", fuzzed.port), 5) as raw:
        raw.sendall(HELLO + noise if is_known else noise)
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(4_096):  # it ends the connection, it does not hang
            pass
    answers_still(fuzzed)


@MANY
@given(position=st.integers(0, 115), value=st.integers(0, 255), size=st.integers(64, 116))
def test_a_damaged_call_never_stops_the_server(fuzzed, position, value, size):
    data = bytearray(call_bytes(fuzzed))
    data[position] = value
    with socket.create_connection(("127.0.0.1", fuzzed.port), 5) as raw:
        raw.sendall(HELLO + data[:size])
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(4_096):
            pass
    answers_still(fuzzed)


def answers_still(world):
    world.connections[0].send(world.call())
    assert world.connections[0].receive(1, timeout_seconds=5).call_id == 1


@pytest.fixture
def fuzzed(world):
    world.serve(stall_timeout_seconds=2.0)
    world.connect()
    return world


@MANY
@given(noise=st.binary(min_size=60, max_size=200))
def test_noise_from_a_server_never_stops_the_client(world, noise):
    world.script(lambda raw, reader: raw.sendall(noise))
    connection = world.connect()
    connection.send(world.call())
    with pytest.raises((ProtocolError, ConnectionLost, CallRefused)):
        connection.receive(1, timeout_seconds=5)
    assert connection.is_broken
    connection.close()


def test_an_answer_of_another_shape_is_a_protocol_error_before_memory_is_taken(world):
    header = pack(
        Kind.ANSWER, code=WireDtype.FLOAT32, call_id=1, rows=2**31, hidden=2**20, body_bytes=2**53
    )
    world.script(lambda raw, reader: raw.sendall(header))
    connection = world.connect()
    connection.send(world.call())
    with pytest.raises(ProtocolError, match="answer to call 1: got 2147483648 rows"):
        connection.receive(1, timeout_seconds=5)


def test_not_a_number_passes_as_it_is(world):
    world.serve()
    connection = world.connect()
    call = world.call()
    call.rows[:] = 0x7FC1
    call.weights[:] = np.nan
    connection.send(call)
    assert (connection.receive(1, timeout_seconds=5).rows == 0x7FC1).all()
