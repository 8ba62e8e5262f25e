"""The monitor by itself: before readiness, with bad manners, and with many who say nothing."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time

import pytest
from builders.expert_process import plan_for, running, written_plan

from remoe_functions.expert.meter import Meter
from remoe_functions.expert.monitor import HOLD_SECONDS, Monitor, Watched
from remoe_functions.expert.monitor_http import MAX_REQUEST_BYTES

READY = Watched(
    function="f",
    kernel="numpy",
    meter=Meter(1 << 30),
    is_ready=lambda: True,
    in_flight=lambda: 2,
    idle_seconds=lambda: 3.5,
)


@pytest.fixture
def monitor():
    made = Monitor("127.0.0.1", 0, lambda: {"map": 0.25})
    yield made
    made.close()


def get(monitor, path):
    connection = http.client.HTTPConnection("127.0.0.1", monitor.port, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()


def raw(monitor, data):
    """What comes back for these bytes, until the monitor ends it."""
    with socket.create_connection(("127.0.0.1", monitor.port), timeout=20) as line:
        line.sendall(data)
        line.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: line.recv(4096), b""))


def test_starting_function_is_alive_not_ready_and_tells_how_far_it_is(monitor):
    assert get(monitor, "/health") == (200, "alive\n")
    assert get(monitor, "/ready") == (503, "starting\n")
    assert get(monitor, "/metrics")[0] == 503
    status, body = get(monitor, "/activity")
    assert status == 200
    assert json.loads(body) == {
        "ready": False,
        "in_flight": 0,
        "waiting": 0,
        "idle_seconds": 0.0,
        "phases": {"map": 0.25},
    }


def test_probe_that_comes_too_early_is_answered_the_moment_the_function_is_ready(monitor):
    answers = []
    asking = threading.Thread(target=lambda: answers.append(get(monitor, "/ready")))
    asking.start()
    time.sleep(HOLD_SECONDS / 8)
    assert not answers
    monitor.open(READY)
    asking.join(20)
    assert answers == [(200, "ready\n")]


def test_ready_function_tells_its_activity(monitor):
    monitor.open(READY)
    body = json.loads(get(monitor, "/activity?now")[1])
    assert (body["ready"], body["in_flight"], body["idle_seconds"]) == (True, 2, 3.5)
    assert 'remoe_function_info{function="f"' in get(monitor, "/metrics")[1]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /ready HTTP/1.1\r\n\r\n", b"405"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"\r\n\r\n", b"400"),
        (b"GET / SPDY/9\r\n\r\n", b"400"),
        (b"GET /\xff\xfe HTTP/1.1\r\n\r\n", b"404"),
        (b"GET / HTTP/1.1\r\n".ljust(MAX_REQUEST_BYTES + 1, b"x"), b"431"),
    ],
)
def test_bad_request_is_answered_with_a_status(monitor, request_, status):
    assert raw(monitor, request_).startswith(b"HTTP/1.1 " + status)


def test_client_that_leaves_in_the_middle_is_forgotten(monitor):
    assert raw(monitor, b"GET /heal") == b""
    assert get(monitor, "/health") == (200, "alive\n")


def test_crowd_that_says_nothing_is_bounded_and_the_monitor_goes_on(monitor):
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(socket.create_connection(("127.0.0.1", monitor.port), timeout=20))
        assert threading.active_count() < 200
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if get(monitor, "/health") == (200, "alive\n"):
                return
    pytest.fail("the monitor did not come back")


def test_closed_monitor_listens_no_more():
    monitor = Monitor("127.0.0.1", 0, dict)
    monitor.close()
    monitor.close()
    with pytest.raises(OSError, match="refused"):
        get(monitor, "/health")


def test_activity_of_a_real_function(mixtral, tmp_path):
    plan = plan_for(mixtral, served=lambda expert: expert.layer == 0)
    with running(mixtral, written_plan(plan, tmp_path / "plan.json")) as function:
        status, body = function.get("/activity")
    activity = json.loads(body)
    assert (status, activity["ready"], activity["in_flight"]) == (200, True, 0)
    assert activity["phases"].keys() >= {"process", "map", "imports", "first_touch", "ready"}
    assert 0 <= activity["idle_seconds"] < 30
