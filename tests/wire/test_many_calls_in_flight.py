from __future__ import annotations

import threading

import pytest

from remoe_functions.wire.arrivals import receive_any
from remoe_functions.wire.errors import CallRefused, CallTimedOut, ConnectionLost
from remoe_functions.wire.frame import encode_answer
from remoe_functions.wire.message import Answer, RefusalCode


def test_answers_are_taken_in_any_order(world):
    world.serve()
    connection = world.connect()
    calls = {call_id: world.call(call_id, rows=call_id % 7) for call_id in range(200)}
    for call in calls.values():
        connection.send(call)
    for call_id in reversed(calls):
        answer = connection.receive(call_id, timeout_seconds=5)
        assert answer.call_id == call_id
        assert (answer.rows == calls[call_id].rows).all()
    assert connection.in_flight == 0


def test_a_server_may_answer_in_any_order(world):
    def play(raw, reader):
        for _ in range(3):
            reader.read()
        for call_id in (2, 3, 1):
            raw.sendmsg(encode_answer(world.echo(world.call(call_id))).buffers)

    world.script(play)
    connection = world.connect()
    for call_id in (1, 2, 3):
        connection.send(world.call(call_id))
    for call_id in (1, 2, 3):
        rows = connection.receive(call_id, timeout_seconds=5).rows
        assert (rows == world.call(call_id).rows).all()


def test_large_calls_sent_before_any_answer_is_read_do_not_lock_up(world):
    world.serve()
    connection = world.connect()
    for call_id in range(30):
        connection.send(world.call(call_id, rows=512, hidden=2_048))
    for call_id in range(30):
        assert connection.receive(call_id, timeout_seconds=10).call_id == call_id


def test_a_timed_out_call_leaves_the_connection_usable_and_its_late_answer_is_dropped(world):
    go = threading.Event()

    def slow_first(call):
        if call.call_id == 1:
            go.wait(10)
        return world.echo(call)

    world.serve(slow_first)
    connection = world.connect()
    connection.send(world.call(1))
    with pytest.raises(CallTimedOut, match=r"did not answer call 1 within 0\.1 s"):
        connection.receive(1, timeout_seconds=0.1)
    assert connection.in_flight == 0
    go.set()
    connection.send(world.call(2, rows=5))
    assert (connection.receive(2, timeout_seconds=5).rows == world.call(2, rows=5).rows).all()
    with pytest.raises(ValueError, match="call_id: 1 is not in flight"):
        connection.receive(1, timeout_seconds=5)


def test_a_call_that_times_out_in_the_middle_of_its_answer_loses_nothing(world):
    go = threading.Event()

    def play(raw, reader):
        reader.read()
        data = b"".join(bytes(part) for part in encode_answer(world.echo(world.call(1))).buffers)
        raw.sendall(data[:70])
        go.wait(10)
        raw.sendall(data[70:])
        reader.read()
        raw.sendmsg(encode_answer(world.echo(world.call(2))).buffers)

    world.script(play)
    connection = world.connect()
    connection.send(world.call(1))
    with pytest.raises(CallTimedOut):
        connection.receive(1, timeout_seconds=0.1)
    go.set()
    connection.send(world.call(2))
    assert connection.receive(2, timeout_seconds=5).call_id == 2


def test_one_id_is_not_in_flight_twice(world):
    world.serve()
    connection = world.connect()
    connection.send(world.call(1))
    with pytest.raises(ValueError, match="call_id: 1 is in flight"):
        connection.send(world.call(1))


def test_the_first_answer_of_several_connections_comes_first(world):
    go = threading.Event()
    world.serve(lambda call: go.wait(10) and world.echo(call))
    slow = world.connect()
    world.serve()
    fast = world.connect()
    slow.send(world.call(1))
    fast.send(world.call(2))
    first = receive_any([slow, fast], timeout_seconds=5)
    assert (first.connection, first.call_id) == (fast, 2)
    assert receive_any([slow, fast], timeout_seconds=0.05) is None
    go.set()
    second = receive_any([slow, fast], timeout_seconds=5)
    assert (second.connection, second.outcome.call_id) == (slow, 1)
    assert receive_any([slow, fast], timeout_seconds=5) is None


def test_a_connection_that_breaks_gives_each_of_its_calls_an_outcome(world):
    world.script(lambda raw, reader: reader.read())
    connection = world.connect()
    connection.send(world.call(1))
    connection.send(world.call(2))
    outcomes = [receive_any([connection], timeout_seconds=5).outcome for _ in range(2)]
    assert all(isinstance(outcome, ConnectionLost) for outcome in outcomes)


def test_a_handler_that_fails_refuses_its_call_and_the_next_is_computed(world):
    def fail_first(call):
        if call.call_id == 1:
            raise KeyError("no such thing")
        if call.call_id == 2:
            raise CallRefused(RefusalCode.UNKNOWN_EXPERT, "expert 4 is not here")
        if call.call_id == 3:
            return Answer(call_id=3, rows=call.rows[:1], dtype=call.dtype, busy_seconds=0.0)
        return world.echo(call)

    world.serve(fail_first)
    connection = world.connect()
    for call_id in (1, 2, 3, 4):
        connection.send(world.call(call_id))
    with pytest.raises(CallRefused, match="INTERNAL: KeyError: 'no such thing'"):
        connection.receive(1, timeout_seconds=5)
    with pytest.raises(CallRefused, match="UNKNOWN_EXPERT: expert 4 is not here"):
        connection.receive(2, timeout_seconds=5)
    with pytest.raises(CallRefused, match="INTERNAL: ValueError: the handler answered"):
        connection.receive(3, timeout_seconds=5)
    assert connection.receive(4, timeout_seconds=5).call_id == 4
