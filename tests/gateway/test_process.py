"""The gateway as a process: how it starts, refuses to start, and ends."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager

import httpx
import pytest
from gateway.fake_main import FakeMain


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def config_file(tmp_path, model_directory, port, main_url, **limits):
    path = tmp_path / "gateway.json"
    model = {"name": "tiny", "directory": str(model_directory), "main_url": main_url}
    body = {"port": port, "models": [model | {"plan": str(model_directory / "plan.json")}]}
    path.write_text(json.dumps(body | {"limits": limits}))
    return path


@asynccontextmanager
async def gateway_process(path, port, *extra, pass_fds=()):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("REMOE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "remoe_functions.gateway",
        "--config",
        str(path),
        *extra,
        env=environment,
        stderr=subprocess.PIPE,
        pass_fds=pass_fds,
    )
    try:
        async with asyncio.timeout(30), httpx.AsyncClient(timeout=30) as http:
            while process.returncode is None:
                try:
                    await http.get(f"http://127.0.0.1:{port}/health")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.05)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_sigterm_lets_a_stream_finish_and_ends_with_status_zero(
    tmp_path, model_directory, tokenizer
):
    answer = tokenizer.encode("hello world, how are you today?", add_special_tokens=False)
    async with FakeMain(answer=answer, token_pause=0.1).serve() as main:
        port = free_port()
        path = config_file(tmp_path, model_directory, port, main.url)
        async with gateway_process(path, port) as process, httpx.AsyncClient() as http:
            body = {"model": "tiny", "prompt": "hi", "stream": True, "max_tokens": 100}
            asked = asyncio.create_task(
                http.post(f"http://127.0.0.1:{port}/v1/completions", json=body, timeout=20)
            )
            async with asyncio.timeout(10):
                while not main.open_streams:
                    await asyncio.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            response = await asked
            status = await asyncio.wait_for(process.wait(), 10)
    assert '"finish_reason":"stop"' in response.text
    assert response.text.endswith("data: [DONE]\n\n")
    assert status == 0


async def test_sigterm_ends_a_stream_properly_when_its_time_is_up(
    tmp_path, model_directory, tokenizer
):
    answer = tokenizer.encode("hello world " * 9, add_special_tokens=False)
    async with FakeMain(answer=answer, token_pause=1).serve() as main:
        port = free_port()
        path = config_file(tmp_path, model_directory, port, main.url, drain_seconds=0.5)
        async with gateway_process(path, port) as process, httpx.AsyncClient() as http:
            body = {"model": "tiny", "prompt": "hi", "stream": True}
            asked = asyncio.create_task(
                http.post(f"http://127.0.0.1:{port}/v1/completions", json=body, timeout=20)
            )
            async with asyncio.timeout(10):
                while not main.open_streams:
                    await asyncio.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            response = await asked
            assert await asyncio.wait_for(process.wait(), 10) == 0
    *_, error, done, _ = response.text.split("\n\n")
    assert '"code":"shutting_down"' in error
    assert done == "data: [DONE]"


async def test_who_connects_before_the_gateway_runs_is_answered(tmp_path, model_directory):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, descriptor = listener.getsockname()[1], listener.fileno()
        path = config_file(tmp_path, model_directory, 1, "http://127.0.0.1:1")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        extra = ("--listen-fd", str(descriptor))
        async with gateway_process(path, port, *extra, pass_fds=(descriptor,)) as process:
            listener.close()
            answer = await asyncio.wait_for(reader.read(), 20)
            process.send_signal(signal.SIGTERM)
            status = await asyncio.wait_for(process.wait(), 10)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200")
    assert status == 0


def run(path, *extra):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("REMOE_")}
    return subprocess.run(
        [sys.executable, "-m", "remoe_functions.gateway", "--config", str(path), *extra],
        env=environment,
        capture_output=True,
        text=True,
        timeout=20,
    )


def test_port_in_use_is_told_in_one_line(tmp_path, model_directory):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = run(config_file(tmp_path, model_directory, port, "http://127.0.0.1:1"))
    assert result.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("descriptor", ["0", "77", "-1"])
def test_descriptor_that_is_no_listener_is_told_in_one_line(descriptor, tmp_path, model_directory):
    path = config_file(tmp_path, model_directory, 0, "http://127.0.0.1:1")
    result = run(path, f"--listen-fd={descriptor}")
    assert result.returncode == 2
    expected = f"--listen-fd must be an inherited listening socket, got {descriptor}\n"
    assert result.stderr == f"remoe gateway: {expected}"


def test_gateway_without_any_runtime_says_what_is_missing(tmp_path, model_directory):
    result = run(config_file(tmp_path, model_directory, 0, None))
    assert result.returncode == 2
    assert "REMOE_CONTROL is not set" in result.stderr


def test_gateway_never_loads_torch_or_transformers():
    code = (
        "import sys, remoe_functions.gateway.process;"
        "sys.exit(bool({'torch', 'transformers', 'fastapi'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=20).returncode == 0


def test_gateway_without_access_to_its_cluster_says_so(tmp_path, model_directory, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    path = config_file(tmp_path, model_directory, 0, None)
    body = json.loads(path.read_text())
    body["models"][0] |= {"service": "tiny", "plan_digest": "0123abcd"}
    path.write_text(json.dumps(body | {"cluster": {"namespace": "ns"}}))
    result = run(path)
    assert result.returncode == 2
    assert "the cluster cannot be talked to" in result.stderr
    assert "Traceback" not in result.stderr
