"""The process as the runtime sees it: it starts, drains on SIGTERM, and says why it cannot."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_planner.plan import FunctionPlan, Plan

TOKEN = "secret of a process"
KEY = {"Authorization": f"Bearer {TOKEN}"}


def start(folder, port, *arguments, **env):
    module = [sys.executable, "-m", "remoe_functions.main"]
    return subprocess.Popen(
        [*module, "--model", folder, "--port", str(port), *arguments],
        env=os.environ | {"REMOE_FUNCTION_TOKEN": TOKEN, "OMP_NUM_THREADS": "1", **env},
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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_main_on_a_cluster_that_does_not_answer_computes_its_functions_experts(
    checkpoint_of, port, tmp_path
):
    folder = checkpoint_of("mixtral")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    named = {"KUBECONFIG": str(tmp_path / "config")}
    names = {"REMOE_SERVICE": "demo", "REMOE_NAMESPACE": "ns", "REMOE_PLAN": "0123abcd"}
    (tmp_path / "config").write_text(kubeconfig(nobody))
    (tmp_path / "plan").write_text(plan_with_a_function(folder).to_json())
    process = start(folder, port, "--plan", str(tmp_path / "plan"), **named, **names)
    body = {"request_id": "r", "prompt": [1, 2], "max_tokens": 4, "ignore_eos": True}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=KEY, timeout=30) as client:
            wait_ready(client, process)
            lines = client.post("/generate", json=body).text.splitlines()
        usage = json.loads(lines[-1])["usage"]
        assert usage["completion_tokens"] == 4
        assert usage["placements"]["fallback"] > 0
        assert usage["placements"]["remote"] == 0
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "its last word stands: no answer from the API server" in errors
        assert "Traceback" not in errors
    finally:
        process.kill()
        process.communicate()


def kubeconfig(server):
    context = {"name": "c", "context": {"cluster": "k"}}
    clusters = [{"name": "k", "cluster": {"server": server}}]
    config = {"current-context": "c", "contexts": [context], "clusters": clusters, "users": []}
    return json.dumps(config)


def plan_with_a_function(folder):
    with contextlib.closing(Checkpoint.open(folder)) as checkpoint:
        shape = checkpoint.architecture
    remote = tuple(expert for expert in shape.experts if expert.layer == 0)
    function = FunctionPlan(name="experts-1", experts=remote, memory_bytes=1 << 30)
    return Plan(architecture=shape, functions=(function,), main_memory_bytes=1 << 30)


@pytest.mark.slow
def test_service_without_its_namespace_is_one_readable_line(checkpoint_of, port, tmp_path):
    log = tmp_path / "termination-log"
    log.touch()
    env = {"REMOE_SERVICE": "demo", "REMOE_TERMINATION_LOG": str(log)}
    process = start(checkpoint_of("mixtral"), port, **env)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert errors == "REMOE_NAMESPACE, REMOE_PLAN must be set to find the service's parts\n"
    assert log.read_text() == errors.strip()


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
