from __future__ import annotations

import os
import resource
import socket
import threading
import time

import psutil
import pytest

from remoe_functions.wire.age import CallAges
from remoe_functions.wire.client import Connection
from remoe_functions.wire.errors import CallRefused
from remoe_functions.wire.frame import encode_call, encode_hello
from remoe_functions.wire.limits import Capacity, Limits
from remoe_functions.wire.server import Server

TOKEN = "the shared token"


class Gate:
    """A handler that holds its calls until it is opened, and tells which it has seen."""

    def __init__(self, world):
        self.echo = world.echo
        self.opened = threading.Event()
        self.entered = threading.Semaphore(0)
        self.seen: list[int] = []

    def __call__(self, call):
        self.seen.append(call.call_id)
        self.entered.release()
        self.opened.wait(10)
        return self.echo(call)


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.005)


def test_one_call_more_than_may_wait_is_refused_busy_at_once(world):
    gate = Gate(world)
    server = world.serve(gate, compute_slots=1, max_waiting=1)
    computing, waiting, third = world.connect(), world.connect(), world.connect()
    computing.send(world.call(1))
    gate.entered.acquire(timeout=5)
    waiting.send(world.call(2))
    until(lambda: server.in_flight == 2)
    third.send(world.call(3))
    with pytest.raises(CallRefused, match="BUSY: too many calls are waiting"):
        third.receive(3, timeout_seconds=5)
    gate.opened.set()
    assert computing.receive(1, timeout_seconds=5).call_id == 1
    assert waiting.receive(2, timeout_seconds=5).call_id == 2
    assert gate.seen == [1, 2]


def test_no_more_calls_than_slots_are_computed_at_once(world):
    gate = Gate(world)
    server = world.serve(gate, compute_slots=2)
    connections = [world.connect() for _ in range(4)]
    for connection in connections:
        connection.send(world.call(1))
    until(lambda: server.in_flight == 4)
    assert len(gate.seen) == 2
    gate.opened.set()
    for connection in connections:
        connection.receive(1, timeout_seconds=5)


def test_a_call_that_expires_while_it_waits_is_not_computed(world):
    gate = Gate(world)
    world.serve(gate)
    first, second = world.connect(), world.connect()
    first.send(world.call(1))
    gate.entered.acquire(timeout=5)
    second.send(world.call(2, deadline_seconds=0.1))
    with pytest.raises(CallRefused, match="EXPIRED: the deadline has passed"):
        second.receive(2, timeout_seconds=5)
    gate.opened.set()
    first.receive(1, timeout_seconds=5)
    assert gate.seen == [1]


def test_a_call_that_expires_behind_another_on_its_connection_is_not_computed(world):
    gate = Gate(world)
    world.serve(gate)
    connection = world.connect()
    connection.send(world.call(1))
    gate.entered.acquire(timeout=5)
    connection.send(world.call(2, deadline_seconds=0.1))
    connection.send(world.call(3))
    time.sleep(0.2)
    gate.opened.set()
    connection.receive(1, timeout_seconds=5)
    with pytest.raises(CallRefused, match="EXPIRED"):
        connection.receive(2, timeout_seconds=5)
    connection.receive(3, timeout_seconds=5)
    assert gate.seen == [1, 3]


def test_an_expired_call_is_not_even_sent(world):
    gate = Gate(world)
    world.serve(gate)
    connection = world.connect()
    connection.send(world.call(1, deadline_seconds=0.0))
    with pytest.raises(CallRefused, match="EXPIRED"):
        connection.receive(1, timeout_seconds=5)
    assert gate.seen == []


def test_a_clock_that_leaps_ages_no_call_that_was_waited_for():
    ages = CallAges()
    assert ages.age_seconds(sent_at=5.0, wait_began_at=100.0, read_at=101.0) == 0.0
    assert ages.age_seconds(sent_at=6.0, wait_began_at=101.0, read_at=500.0) == 0.0
    assert ages.age_seconds(sent_at=6.5, wait_began_at=502.0, read_at=502.0) == 2.0


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4_096, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_descriptors")
def test_a_thousand_silent_connections_leave_room_for_one_that_speaks(world):
    world.serve(max_strangers=64, hello_timeout_seconds=30.0)
    for _ in range(1_000):
        world.dial()
    connection = world.connect()
    connection.send(world.call())
    assert connection.receive(1, timeout_seconds=5).call_id == 1
    server_threads = [t for t in threading.enumerate() if t.name.startswith("wire-")]
    assert len(server_threads) == 2


def test_a_silent_connection_is_shown_out_in_time(world):
    world.serve(hello_timeout_seconds=0.1)
    raw = world.dial()
    raw.sendall(b"RM")
    raw.settimeout(5)
    assert raw.recv(1) == b""


def test_a_connection_beyond_the_bound_is_refused_busy(world):
    server = world.serve(max_connections=1)
    first = world.connect()
    with pytest.raises(CallRefused, match="BUSY: too many connections"):
        world.connect()
    first.close()
    until(lambda: server.connections == 0)
    world.connect()


def test_a_client_that_never_reads_holds_no_slot_and_is_dropped(world):
    server = world.serve(stall_timeout_seconds=0.3)
    deaf = world.dial()
    deaf.sendall(b"".join(encode_hello(TOKEN).buffers))
    large = encode_call(world.call(rows=8_192, hidden=2_048))  # more than the socket buffers take
    deaf.sendall(b"".join(bytes(part) for part in large.buffers))
    other = world.connect()
    other.send(world.call())
    assert other.receive(1, timeout_seconds=5).call_id == 1
    until(lambda: server.connections == 1 and server.in_flight == 0)


def test_half_a_call_is_given_up_after_the_stall_timeout(world):
    server = world.serve(stall_timeout_seconds=0.1)
    connection = world.connect()
    os.write(connection.fileno(), b"RMOE\x01\x00\x03")
    until(lambda: server.connections == 0)


def test_drain_finishes_calls_in_flight_and_refuses_new_ones(world):
    gate = Gate(world)
    server = world.serve(gate)
    old, new = world.connect(), world.connect()
    old.send(world.call(1))
    gate.entered.acquire(timeout=5)
    assert server.idle_seconds == 0.0
    assert server.drain(0.05) is False
    new.send(world.call(2))
    with pytest.raises(CallRefused, match="DRAINING"):
        new.receive(2, timeout_seconds=5)
    gate.opened.set()
    assert server.drain(5) is True
    assert old.receive(1, timeout_seconds=5).call_id == 1
    assert server.in_flight == 0
    assert server.idle_seconds > 0.0


def test_a_stopped_server_leaves_no_thread_and_no_descriptor(world):
    process = psutil.Process()
    threads, descriptors = threading.active_count(), process.num_fds()
    server = Server(world.echo, token="t")
    port = server.start()
    strangers = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
    for _ in range(20):
        with Connection.open("127.0.0.1", port, token="t", timeout_seconds=5) as connection:
            connection.send(world.call())
            connection.receive(1, timeout_seconds=5)
    last = Connection.open("127.0.0.1", port, token="t", timeout_seconds=5)
    server.stop()
    last.close()
    for raw in strangers:
        raw.close()
    until(lambda: threading.active_count() == threads)
    assert process.num_fds() == descriptors


@pytest.mark.parametrize(
    ("knob", "complaint"),
    [
        (lambda: Capacity(compute_slots=0), "compute_slots must be at least 1, got 0"),
        (lambda: Capacity(stall_timeout_seconds=0.0), "stall_timeout_seconds must be above zero"),
        (lambda: Limits(max_rows=0), "max_rows must be at least 1, got 0"),
        (lambda: Server(lambda call: None, token=""), "token must not be empty"),
    ],
)
def test_a_bad_knob_is_refused_at_birth(knob, complaint):
    with pytest.raises(ValueError, match=complaint):
        knob()
