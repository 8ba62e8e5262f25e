"""A tiny world: a byte-level tokenizer, a plan of two functions, a main of our own, a gateway."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import openai
import pytest
from gateway.fake_main import FakeMain, running
from gateway.fake_runtime import FakeRuntime
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from remoe_functions.gateway.composition import Gateway
from remoe_functions.gateway.config import GatewayConfig
from remoe_functions.gateway.keys import KeyRing
from remoe_functions.gateway.listening import listen
from remoe_functions.gateway.server import GatewayServer
from remoe_functions.gateway.tokenizer import Tokenizer as GatewayTokenizer
from remoe_planner.architecture import Architecture
from remoe_planner.experts import ExpertId
from remoe_planner.plan import FunctionPlan, Plan

GIB = 1 << 30
TEXT = ["hello world, how are you today?", "the quick brown fox", "héllo wörld ünï 🦊"]
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_level():
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|im_start|>", "<|im_end|>"],
    )
    backend.train_from_iterator(TEXT, trainer)
    return backend


@pytest.fixture(scope="session")
def model_directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    byte_level().save(str(directory / "tokenizer.json"))
    settings = {"eos_token": "<|im_end|>", "chat_template": TEMPLATE}
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))
    (directory / "config.json").write_text(
        json.dumps({"max_position_embeddings": 256, "vocab_size": 320, "eos_token_id": 1})
    )
    (directory / "plan.json").write_text(plan().to_json())
    return directory


def plan():
    architecture = Architecture(
        name="tiny",
        revision="r1",
        layers=(0, 1),
        experts_per_layer=4,
        top_k=1,
        hidden_size=8,
        expert_bytes=1000,
        main_bytes=1000,
    )
    functions = tuple(
        FunctionPlan(
            name=f"f{i}", experts=(ExpertId(0, i), ExpertId(1, i)), memory_bytes=GIB, max_replicas=1
        )
        for i in range(2)
    )
    return Plan(architecture=architecture, functions=functions, main_memory_bytes=2 * GIB)


@pytest.fixture
def tokenizer(model_directory):
    return GatewayTokenizer.open(model_directory)


def plain_http():
    """A client that does not spend its start on reading certificates."""
    return httpx.AsyncClient(timeout=30, verify=False, trust_env=False)


class World:
    """A running gateway with its main and its runtime."""

    def __init__(self, *, main, runtime, port, gateway, server, tokenizer):
        self.main = main
        self.runtime = runtime
        self.port = port
        self.gateway = gateway
        self.server = server
        self.tokenizer = tokenizer
        self.url = f"http://127.0.0.1:{port}"

    @property
    def entry(self):
        return self.gateway.services.models["tiny"]

    @property
    def service(self):
        return self.entry.service

    def answers(self, text, **changes):
        self.main.answer = self.tokenizer.encode(text, add_special_tokens=False)
        for name, value in changes.items():
            setattr(self.main, name, value)

    def openai(self, key="none", **options):
        return openai.AsyncOpenAI(
            base_url=f"{self.url}/v1",
            api_key=key,
            max_retries=0,
            http_client=plain_http(),
            **options,
        )

    async def post(self, path, body, **options):
        async with plain_http() as http:
            return await http.post(f"{self.url}{path}", json=body, **options)

    async def get(self, path, **options):
        async with plain_http() as http:
            return await http.get(f"{self.url}{path}", **options)

    async def chat(self, **changes):
        body = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}]}
        return await self.post("/v1/chat/completions", body | changes)

    async def metric(self, name, **labels):
        return self.gateway.services.metrics.registry.get_sample_value(
            name, {"model_name": "tiny"} | labels
        )

    async def until(self, condition, seconds=20.0):
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)


@pytest.fixture
def world(model_directory, tokenizer):
    """A function that runs a world: `async with world(limits=..., asleep=True) as w`."""

    @asynccontextmanager
    async def run(*, asleep=False, keys=None, limits=None, model=None, forecast=None, prices=None):
        config = GatewayConfig.model_validate(
            {
                "models": [
                    {
                        "name": "tiny",
                        "directory": model_directory,
                        "plan": model_directory / "plan.json",
                    }
                    | (model or {})
                ],
                "prices": {"main_gib_second": 1.0, "function_gib_second": 2.0, "call": 0.5}
                | (prices or {}),
                "limits": {"held_wait_seconds": 5, "drain_seconds": 2} | (limits or {}),
                "forecast": forecast or {},
            }
        )
        async with FakeMain().serve() as main:
            runtime = FakeRuntime(port=None if asleep else main.port)
            gateway = Gateway.build(
                config, {"tiny": runtime}, keys=KeyRing(keys or {}), token="inner"
            )
            listener = listen("127.0.0.1", 0)
            server = GatewayServer(gateway.app, config.limits, gateway.drain)
            w = World(
                main=main,
                runtime=runtime,
                port=listener.getsockname()[1],
                gateway=gateway,
                server=server,
                tokenizer=tokenizer,
            )
            w.answers("hello world")
            async with running(server, listener):
                await w.until(lambda: gateway.services.models["tiny"].parts.latest is not None)
                yield w

    return run
