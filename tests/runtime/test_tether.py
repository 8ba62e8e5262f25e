import json
import socket
import subprocess
import sys

import pytest

from remoe_functions.runtime.tether import EXIT_WITHOUT_SUPERVISOR, Tether


def _run(code, line, **knobs):
    env = {"REMOE_TETHER_FD": str(line.fileno()), "REMOE_SPAWNED_AT": "0.0"}
    return subprocess.Popen([sys.executable, "-c", code], env=env, pass_fds=[line.fileno()])


def test_without_a_supervisor_it_does_nothing(monkeypatch):
    monkeypatch.delenv("REMOE_TETHER_FD", raising=False)
    tether = Tether.from_environment()
    tether.ready("127.0.0.1", 1)
    tether.activity(0, 1.0)
    tether.beat(lambda: (0, 0.0))
    assert not tether.attached
    assert tether.phase("imports") >= 0
    assert list(tether.phases) == ["imports"]


def test_the_child_exits_at_once_when_the_line_is_cut():
    ours, theirs = socket.socketpair()
    code = (
        "import time; from remoe_functions.runtime.tether import Tether\n"
        "t = Tether.from_environment(); t.phase('imports'); time.sleep(60)"
    )
    with theirs:
        child = _run(code, theirs)
    ours.settimeout(10)
    assert json.loads(ours.recv(4096))["name"] == "imports"
    ours.close()
    assert child.wait(10) == EXIT_WITHOUT_SUPERVISOR


def test_the_line_is_not_passed_on_to_grandchildren():
    ours, theirs = socket.socketpair()
    code = (
        "import os; from remoe_functions.runtime.tether import Tether\n"
        "line = int(os.environ['REMOE_TETHER_FD']); t = Tether.from_environment()\n"
        "t.activity(int(os.get_inheritable(line)), float('REMOE_TETHER_FD' in os.environ))"
    )
    with theirs:
        child = _run(code, theirs)
    ours.settimeout(10)
    told = json.loads(ours.recv(4096))
    assert (told["in_flight"], told["idle_seconds"]) == (0, 0.0)
    assert child.wait(10) == 0
    ours.close()


def test_importing_it_costs_next_to_nothing():
    code = "import sys; import remoe_functions.runtime.tether; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"asyncio", "numpy", "httpx", "torch", "psutil", "pydantic", "logging"}
    assert not heavy & set(done.stdout.split())


@pytest.mark.parametrize("period", [0, -1])
def test_a_heartbeat_needs_a_period(period):
    with pytest.raises(ValueError, match=f"period_seconds must be > 0, got {period}"):
        Tether(None).beat(lambda: (0, 0.0), period_seconds=period)
