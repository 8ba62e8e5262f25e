"""A function that is told to go finishes what it has begun, refuses what is new, and goes."""

from __future__ import annotations

import json
import os
import socket

import numpy as np
import pytest
from builders.expert_process import plan_for, running, written_plan
from builders.tiny_checkpoints import build
from builders.wire_calls import call_of

from remoe_functions.wire.errors import CallRefused, WireError
from remoe_functions.wire.message import RefusalCode
from remoe_planner.experts import ExpertId

HIDDEN, ROWS = 512, 3072


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """(folder, plan) of an expert that is busy for a good while with thousands of rows."""
    folder = build(
        "mixtral",
        tmp_path_factory.mktemp("slow"),
        hidden_size=HIDDEN,
        intermediate_size=3072,
        num_hidden_layers=1,
        num_local_experts=2,
    )
    plan = plan_for(folder, served=lambda expert: expert == ExpertId(0, 0))
    return folder, written_plan(plan, tmp_path_factory.mktemp("plan") / "plan.json")


def long_call():
    pairs = [(row, 0, 1.0) for row in range(ROWS)]
    return call_of(layer=0, row_count=ROWS, hidden=HIDDEN, pairs=pairs)


def short_call(call_id=2):
    return call_of(layer=0, row_count=1, hidden=HIDDEN, pairs=[(0, 0, 1.0)], call_id=call_id)


def begin_long_call(function, connection):
    """Send it, and return once the function is busy with it."""
    assert function.get("/ready")[0] == 200
    connection.send(long_call())
    function.wait_until(lambda: function.metric("remoe_function_in_flight") == 1)


def test_call_in_flight_at_sigterm_is_answered_and_new_ones_are_refused(slow):
    with running(*slow) as function, function.connect() as busy, function.connect() as late:
        begin_long_call(function, busy)
        function.terminate()
        function.wait_until(lambda: function.get("/ready")[0] == 503)
        late.send(short_call())
        with pytest.raises(CallRefused) as refusal:
            late.receive(2, timeout_seconds=20.0)
        assert refusal.value.code is RefusalCode.DRAINING
        rows = busy.receive(1, timeout_seconds=30.0).rows
        assert np.isfinite(rows).all()
        assert rows.any(axis=1).all()
        assert function.status() == 0


def test_idle_function_goes_at_once(slow):
    with running(*slow) as function, function.connect() as connection:
        connection.send(short_call())
        connection.receive(2, timeout_seconds=20.0)
        function.terminate()
        assert function.status() == 0
        assert function.process.stderr.read() == ""


def test_drain_is_bounded_and_says_what_it_cut(slow):
    with running(*slow, "--drain-seconds", "0") as function, function.connect() as connection:
        begin_long_call(function, connection)
        function.terminate()
        assert function.status() == 3
        assert "calls were cut" in function.process.stderr.read()
        with pytest.raises(WireError):
            connection.receive(1, timeout_seconds=20.0)


def test_supervisor_hears_every_phase_and_its_end_ends_the_function(slow):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        os.set_inheritable(theirs.fileno(), True)
        line = {"REMOE_TETHER_FD": str(theirs.fileno())}
        with running(*slow, pass_fds=(theirs.fileno(),), **line) as function:
            theirs.close()
            ours.settimeout(20.0)
            with ours.makefile() as lines:
                heard = [json.loads(lines.readline()) for _ in range(6)]
            phases = [message["name"] for message in heard if message["kind"] == "phase"]
            assert phases == ["process", "map", "imports", "first_touch", "ready"]
            assert heard[-1] == {"kind": "ready", "host": "127.0.0.1", "port": function.port}
            ours.shutdown(socket.SHUT_RDWR)
            assert function.status() == 70
