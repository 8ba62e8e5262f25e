"""Gateways are replaced one by one under load: no client notices."""

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager, suppress

import httpx
import openai
import pytest
from gateway.conftest import plain_http
from gateway.fake_main import FakeMain
from gateway.test_process import free_port

LAME_DUCK_SECONDS = 2.0


class Balancer:
    """A Service and its kube-proxy: new connections go to gateways that were ready of late."""

    def __init__(self, ports):
        self.ports = ports
        self.ready = set()
        self._turn = 0

    async def probe(self):
        async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
            while True:
                for port in self.ports:
                    with suppress(httpx.HTTPError):
                        status = (await http.get(f"http://127.0.0.1:{port}/ready")).status_code
                        (self.ready.add if status == 200 else self.ready.discard)(port)
                await asyncio.sleep(0.1)

    async def connect(self, reader, writer):
        self._turn += 1
        port = sorted(self.ready)[self._turn % len(self.ready)]
        there = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pipe(reader, there[1]), pipe(there[0], writer))


async def pipe(reader, writer):
    with suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def balanced(ports):
    balancer = Balancer(ports)
    probing = asyncio.create_task(balancer.probe())
    server = await asyncio.start_server(balancer.connect, "127.0.0.1", 0)
    try:
        yield balancer, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        probing.cancel()
        await asyncio.gather(probing, return_exceptions=True)


@pytest.fixture
def start(tmp_path, model_directory):
    """A function that starts a gateway process on a port."""

    async def run(port, main_url):
        model = {"name": "tiny", "directory": str(model_directory), "main_url": main_url}
        limits = {"lame_duck_seconds": LAME_DUCK_SECONDS, "drain_seconds": 5}
        models = [model | {"plan": str(model_directory / "plan.json")}]
        path = tmp_path / f"{port}.json"
        path.write_text(json.dumps({"port": port, "models": models, "limits": limits}))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("REMOE_")}
        command = [sys.executable, "-m", "remoe_functions.gateway", "--config", str(path)]
        return await asyncio.create_subprocess_exec(
            *command, env=environment, stderr=asyncio.subprocess.DEVNULL
        )

    return run


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.mark.slow
async def test_every_gateway_is_replaced_and_no_request_fails(start, tokenizer):
    answer = tokenizer.encode("hello world, how are you?", add_special_tokens=False)
    ports = [free_port(), free_port()]
    outcomes, done = [], asyncio.Event()

    async def ask(client, *, stream):
        while not done.is_set():
            try:
                got = await client.completions.create(
                    model="tiny", prompt="hi", max_tokens=50, stream=stream
                )
                texts = [c.choices[0].text async for c in got] if stream else [got.choices[0].text]
                outcomes.append("".join(texts))
            except openai.OpenAIError as error:
                outcomes.append(repr(error))

    async with (
        FakeMain(answer=answer, token_pause=0.01).serve() as main,
        balanced(ports) as (
            balancer,
            port,
        ),
    ):
        processes = {p: await start(p, main.url) for p in ports}
        try:
            await until(lambda: balancer.ready == set(ports))
            async with openai.AsyncOpenAI(
                base_url=f"http://127.0.0.1:{port}/v1",
                api_key="none",
                max_retries=0,
                http_client=plain_http(),
            ) as client:
                asking = [asyncio.create_task(ask(client, stream=i % 2 == 0)) for i in range(4)]
                for old in ports:
                    processes[old].send_signal(signal.SIGTERM)
                    assert await asyncio.wait_for(processes[old].wait(), 20) == 0
                    balancer.ready.discard(old)
                    processes[old] = await start(old, main.url)
                    await until(lambda port=old: port in balancer.ready)
                done.set()
                await asyncio.gather(*asking)
        finally:
            for process in processes.values():
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
    assert len(outcomes) > 10
    assert set(outcomes) == {"hello world, how are you?"}
