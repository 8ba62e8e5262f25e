"""A real function process: started, called over the wire, watched over HTTP."""

from __future__ import annotations

import contextlib
import os
import socket

import numpy as np
import pytest
from builders.expert_process import NAME, TOKEN, plan_for, running, written_plan
from builders.tiny_checkpoints import HIDDEN
from builders.wire_calls import call_of

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.expert.kernel import NumpyKernel
from remoe_functions.wire.errors import CallRefused
from remoe_functions.wire.frame import encode_call
from remoe_functions.wire.message import RefusalCode
from remoe_planner.experts import ExpertId

SERVED = (ExpertId(0, 1), ExpertId(0, 4), ExpertId(2, 4))


@pytest.fixture(scope="module")
def function(mixtral, tmp_path_factory):
    plan = plan_for(mixtral, served=lambda expert: expert in SERVED, memory_bytes=1 << 29)
    path = written_plan(plan, tmp_path_factory.mktemp("plan") / "plan.json")
    with running(mixtral, path) as function:
        yield function


def called(function, **fields):
    with function.connect() as connection:
        call = call_of(**({"hidden": HIDDEN} | fields))
        connection.send(call)
        return call, connection.receive(call.call_id, timeout_seconds=20.0)


def test_answer_over_the_wire_is_the_kernels_own(function, mixtral):
    pairs = [(0, 1, 0.25), (0, 4, 0.75), (2, 4, -1.5)]
    call, answer = called(function, layer=0, row_count=3, pairs=pairs)
    checkpoint, kernel = Checkpoint.open(mixtral), NumpyKernel()
    expected = np.zeros_like(call.rows)
    for row, index, weight in pairs:
        weights = checkpoint.expert(ExpertId(0, index))
        expected[row] += np.float32(weight) * kernel.forward(weights, call.rows[row : row + 1])[0]
    np.testing.assert_allclose(answer.rows, expected, rtol=1e-5, atol=1e-6)
    assert answer.busy_seconds > 0


@pytest.mark.parametrize(("layer", "index"), [(1, 4), (2, 1), (9, 0), (0, 60_000)])
def test_expert_of_another_function_is_refused_and_the_connection_lives(function, layer, index):
    with function.connect() as connection:
        connection.send(call_of(layer=layer, row_count=1, hidden=HIDDEN, pairs=[(0, index, 1.0)]))
        with pytest.raises(CallRefused, match="not served here") as refusal:
            connection.receive(1, timeout_seconds=20.0)
        assert refusal.value.code is RefusalCode.UNKNOWN_EXPERT
        good = call_of(layer=2, row_count=1, hidden=HIDDEN, pairs=[(0, 4, 1.0)], call_id=2)
        connection.send(good)
        assert connection.receive(2, timeout_seconds=20.0).rows.any()


def test_pair_that_names_no_row_is_refused_and_the_connection_lives(function):
    with function.connect() as connection:
        for call_id, rows in ((1, 2), (2, 500)):
            pairs = [(row, 1, 1.0) for row in (*range(rows - 1), rows)]
            call = call_of(layer=0, row_count=rows, hidden=HIDDEN, pairs=pairs, call_id=call_id)
            connection.send(call)
            with pytest.raises(CallRefused, match=f"token_rows must be below {rows}, got {rows}"):
                connection.receive(call_id, timeout_seconds=20.0)
        connection.send(call_of(layer=0, row_count=1, hidden=HIDDEN, pairs=[(0, 1, 1.0)]))
        assert connection.receive(1, timeout_seconds=20.0).rows.any()


def test_wrong_token_is_refused(function):
    with pytest.raises(CallRefused) as refusal:
        function.connect(token=TOKEN + "!")
    assert refusal.value.code is RefusalCode.UNAUTHORIZED


def test_rows_too_wide_are_refused_before_they_are_read(function):
    with pytest.raises(CallRefused) as refusal:
        called(function, layer=0, row_count=1, hidden=HIDDEN + 1, pairs=[(0, 1, 1.0)])
    assert refusal.value.code in (RefusalCode.TOO_LARGE, RefusalCode.BAD_REQUEST)


def test_monitor_tells_health_readiness_and_nothing_else(function):
    assert function.get("/health") == (200, "alive\n")
    assert function.get("/ready") == (200, "ready\n")
    status, body = function.get("/secrets")
    assert status == 404
    assert "/metrics" in body


def test_clients_that_send_nothing_do_not_silence_the_monitor(function):
    address = (function.host, function.metrics_port)
    with contextlib.ExitStack() as stack:
        for _ in range(50):
            stack.enter_context(socket.create_connection(address, timeout=5.0))
        assert function.get("/health") == (200, "alive\n")


def test_metrics_count_what_was_done(function):
    names = ["calls", "rows", "pairs", "busy_seconds"]

    def read():
        return {name: function.metric(f"remoe_function_{name}_total") for name in names}

    def refused():
        return function.metric("remoe_function_refusals_total", code="UNKNOWN_EXPERT") or 0

    before, refused_before = read(), refused()
    called(function, layer=0, row_count=3, pairs=[(0, 1, 1.0), (0, 4, 1.0)])
    with pytest.raises(CallRefused):
        called(function, layer=1, row_count=1, pairs=[(0, 0, 1.0)])
    after = read()
    assert [after[name] - before[name] for name in names[:3]] == [1, 3, 2]
    assert after["busy_seconds"] > before["busy_seconds"]
    assert refused() == refused_before + 1
    assert function.metric("remoe_function_in_flight", function=NAME) == 0


def test_metrics_count_what_the_wire_itself_refuses(function):
    def refused():
        codes = ("UNAUTHORIZED", "TOO_LARGE", "BAD_REQUEST", "UNKNOWN_EXPERT", "INTERNAL")
        counts = {c: function.metric("remoe_function_refusals_total", code=c) for c in codes}
        return {code: count or 0 for code, count in counts.items()}

    before = refused()
    with pytest.raises(CallRefused):
        function.connect(token=TOKEN + "!")
    wide = encode_call(call_of(layer=0, row_count=1, hidden=HIDDEN + 1, pairs=[(0, 1, 1.0)]))
    with function.connect() as connection:
        # Past our own client, which would not send it.
        os.write(connection.fileno(), b"".join(bytes(part) for part in wide.buffers))
        function.wait_until(lambda: refused()["TOO_LARGE"] > before["TOO_LARGE"])
    assert refused() == before | {
        "UNAUTHORIZED": before["UNAUTHORIZED"] + 1,
        "TOO_LARGE": before["TOO_LARGE"] + 1,
    }


def test_metrics_bill_memory_over_time_busy_and_idle(function):
    called(function, layer=0, row_count=3, pairs=[(0, 1, 1.0)])
    billed = "remoe_function_billed_gib_seconds_total"
    busy = function.metric("remoe_function_busy_seconds_total")
    assert function.metric(billed, state="busy") == pytest.approx(busy / 2)
    assert function.metric(billed, state="idle") > 0


def test_metrics_tell_each_phase_of_the_start(function):
    for phase in ("process", "imports", "map", "first_touch", "ready"):
        assert function.metric("remoe_function_startup_seconds", phase=phase) > 0, phase


def test_own_call_before_readiness_is_not_counted(mixtral, tmp_path):
    path = written_plan(plan_for(mixtral, served=lambda expert: expert in SERVED), tmp_path / "p")
    with running(mixtral, path) as function:
        assert function.metric("remoe_function_calls_total") == 0
