"""The process as the runtime sees it: it starts, drains on SIGTERM, and says why it cannot."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

TOKEN = "secret of a process"
KEY = {"Authorization": f"Bearer {TOKEN}"}


def start(folder, port):
    return subprocess.Popen(
        [sys.executable, "-m", "remoe_functions.main", "--model", folder, "--port", str(port)],
        env=os.environ | {"REMOE_FUNCTION_TOKEN": TOKEN, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_ready(client, process):
    until = time.monotonic() + 240
    while time.monotonic() < until and process.poll() is None:
        try:
            if client.get("/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    pytest.fail(f"not ready: {process.poll()}")


@pytest.mark.timeout(300)  # torch and transformers take their time on a crowded machine
def test_stream_ends_properly_when_the_process_is_told_to_stop(checkpoint_of, port):
    process = start(checkpoint_of("mixtral"), port)
    body = {"request_id": "r", "prompt": [1, 2], "max_tokens": 250, "ignore_eos": True}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=KEY, timeout=30) as client:
            wait_ready(client, process)
            with client.stream("POST", "/generate", json=body) as response:
                lines = response.iter_lines()
                next(lines)
                process.send_signal(signal.SIGTERM)
                last = json.loads(list(lines)[-1])
            assert last["finish"] == "length"
            assert last["usage"]["completion_tokens"] == 250
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def test_port_in_use_is_one_readable_line(checkpoint_of):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        process = start(checkpoint_of("mixtral"), port)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors == f"cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_checkpoint_that_is_not_there_is_one_readable_line(tmp_path, port):
    process = start(tmp_path / "nothing", port)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Traceback" not in errors
    assert "nothing" in errors
