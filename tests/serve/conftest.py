"""Whole services over tiny checkpoints: real gateway, main model and functions."""

import asyncio
import contextlib
import importlib.util
import json
import os
import signal
import socket
import sys
from pathlib import Path

import httpx
import openai
import psutil
import pytest

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.runtime.control_client import ControlClient
from remoe_functions.runtime.errors import RuntimeUnavailable
from remoe_planner.plan import FunctionPlan, Plan

FOLDER = Path(__file__).parent
MODEL = "tiny"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A tiny Mixtral with a tokenizer of 128 words."""
    builders = FOLDER.parent / "builders" / "tiny_checkpoints.py"
    spec = importlib.util.spec_from_file_location("tiny_checkpoints", builders)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    directory = module.build(
        "mixtral", tmp_path_factory.mktemp("tiny"), max_position_embeddings=4096
    )
    (directory / "tokenizer.json").write_text(json.dumps(_tokenizer()))
    (directory / "tokenizer_config.json").write_text(json.dumps(_tokenizer_config()))
    return directory


def _tokenizer():
    specials = ["<pad>", "<s>", "</s>", "<unk>"]
    words = [*specials, *(f"w{n}" for n in range(len(specials), 128))]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": n,
                "content": word,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for n, word in enumerate(specials)
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {word: n for n, word in enumerate(words)},
            "unk_token": "<unk>",
        },
    }


def _tokenizer_config():
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "chat_template": "{% for m in messages %}{{ m['content'] }} {% endfor %}",
    }


@pytest.fixture(scope="session")
def plan(checkpoint):
    """Half of each layer's experts remote, in two functions."""
    opened = Checkpoint.open(checkpoint)
    shape = opened.architecture
    opened.close()
    halves = [[e for e in shape.experts if e.index % 4 == n] for n in (0, 1)]
    functions = tuple(
        FunctionPlan(name=f"experts-{n}", experts=tuple(half), memory_bytes=256 << 20)
        for n, half in enumerate(halves)
    )
    return Plan(architecture=shape, functions=functions, main_memory_bytes=1 << 30)


class Service:
    """One `serve` in a process of its own, and the ways to look at it."""

    def __init__(self, process, folder, port):
        self.process = process
        self.folder = folder
        self.port = port
        self.control = ControlClient(folder / "control.sock")
        self.openai = self.client()

    def client(self):
        """A client with connections of its own, that tries nothing twice."""
        return openai.AsyncOpenAI(
            base_url=f"http://127.0.0.1:{self.port}/v1", api_key="none", max_retries=0, timeout=90
        )

    async def until(self, holds, seconds=90):
        async with asyncio.timeout(seconds):
            while True:
                assert self.process.returncode is None, "the supervisor has ended"
                with contextlib.suppress(RuntimeUnavailable):
                    parts = (await self.control.snapshot()).parts
                    if holds(parts):
                        return parts
                await asyncio.sleep(0.05)

    async def until_ready(self, *names):
        return await self.until(lambda parts: all(parts[name].ready for name in names))

    async def answering(self, seconds=60):
        async with asyncio.timeout(seconds), httpx.AsyncClient() as http:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if (await http.get(f"http://127.0.0.1:{self.port}/health")).is_success:
                        return
                await asyncio.sleep(0.05)

    def pid_of(self, name):
        """The pid of a part's only replica, told by its command line."""
        marks = {"gateway": "remoe_functions.gateway", "main": "remoe_functions.main"}
        for child in self.children():
            line = child.cmdline()
            if marks.get(name) in line or (name not in marks and name in line):
                return child.pid
        raise AssertionError(f"{name} does not run")

    def children(self):
        return psutil.Process(self.process.pid).children(recursive=True)

    async def refuses_connections(self):
        """Return once nobody listens on the port."""
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except ConnectionError:
                return
            writer.close()
            await asyncio.sleep(0.02)

    async def complete(self, tokens=24, *, client=None, **knobs):
        return await (client or self.openai).completions.create(
            model=MODEL,
            prompt="w10 w20 w30",
            max_tokens=tokens,
            temperature=0,
            extra_body={"ignore_eos": True},
            **knobs,
        )

    async def stop(self, number=signal.SIGTERM, seconds=60):
        self.process.send_signal(number)
        async with asyncio.timeout(seconds):
            return await self.process.wait()

    async def close(self):
        children = self.children() if self.process.returncode is None else []
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        psutil.wait_procs(children, timeout=10)
        await self.openai.close()
        await self.control.aclose()


async def start_service(folder, checkpoint, plan, **options):
    port = options.pop("port", None) or free_port()
    (folder / "wanted.json").write_text(plan.to_json())
    body = {
        "model": str(checkpoint),
        "name": MODEL,
        "port": port,
        "run_dir": str(folder),
        **options,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(FOLDER / "serving.py"),
        json.dumps(body),
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=(folder / "said").open("wb"),
        stderr=(folder / "complained").open("wb"),
    )
    return Service(process, folder, port)


@pytest.fixture
async def starting(tmp_path):
    """Starts services that end with the test."""
    services = []

    async def start(checkpoint, plan, **options):
        folder = tmp_path / f"run-{len(services)}"
        folder.mkdir()
        services.append(await start_service(folder, checkpoint, plan, **options))
        return services[-1]

    yield start
    for service in services:
        await service.close()


@pytest.fixture
async def service(starting, checkpoint, plan):
    return await starting(checkpoint, plan)
