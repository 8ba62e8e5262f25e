"""Every refusal that a server sends is told once, whoever decided it."""

from __future__ import annotations

import pytest

from remoe_functions.wire.errors import CallRefused
from remoe_functions.wire.frame import encode_call, encode_hello
from remoe_functions.wire.header import Kind
from remoe_functions.wire.limits import Limits
from remoe_functions.wire.message import RefusalCode
from remoe_functions.wire.reader import FrameReader

TOKEN = "the shared token"


def refusal(world, call):
    """How the server refuses a call that our own client might not even send."""
    raw = world.dial()
    for frame in (encode_hello(TOKEN), encode_call(call)):
        raw.sendall(b"".join(bytes(part) for part in frame.buffers))
    reader = FrameReader(raw, lambda header: None)
    reader.read()
    header, _ = reader.read()
    assert header.kind == Kind.REFUSAL
    return header.code


def refuse(_):
    raise CallRefused(RefusalCode.UNKNOWN_EXPERT, "not here")


def fail(_):
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("handler", "code"), [(refuse, RefusalCode.UNKNOWN_EXPERT), (fail, RefusalCode.INTERNAL)]
)
def test_refusal_of_the_handler_is_told_once(handler, code, world):
    world.serve(handler)
    assert refusal(world, world.call()) == code
    assert world.refused == [code]


def test_call_whose_time_is_up_is_told(world):
    world.serve()
    assert refusal(world, world.call(deadline_seconds=0.0)) == RefusalCode.EXPIRED
    assert world.refused == [RefusalCode.EXPIRED]


def test_call_beyond_the_limits_is_told(world):
    world.serve(limits=Limits(max_rows=1))
    assert refusal(world, world.call(rows=2)) == RefusalCode.TOO_LARGE
    assert world.refused == [RefusalCode.TOO_LARGE]


def test_call_that_comes_while_draining_is_told(world):
    assert world.serve().drain(1)
    assert refusal(world, world.call()) == RefusalCode.DRAINING
    assert world.refused == [RefusalCode.DRAINING]


def test_call_that_finds_the_server_full_is_told(world):
    world.serve(max_connections=1)
    world.connect()
    with pytest.raises(CallRefused, match="BUSY"):
        world.connect()
    assert world.refused == [RefusalCode.BUSY]


def test_wrong_token_is_told(world):
    world.serve()
    with pytest.raises(CallRefused, match="UNAUTHORIZED"):
        world.connect(token="another")
    assert world.refused == [RefusalCode.UNAUTHORIZED]


def test_answered_call_is_no_refusal(world):
    world.serve()
    connection = world.connect()
    connection.send(world.call())
    connection.receive(1, timeout_seconds=5)
    assert world.refused == []
