"""A gateway for several models, as in a cluster: each with a main and a runtime of its own."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.conftest import World
from gateway.fake_main import FakeMain, running
from gateway.fake_runtime import FakeRuntime

from remoe_functions.gateway.composition import Gateway
from remoe_functions.gateway.config import GatewayConfig
from remoe_functions.gateway.keys import KeyRing
from remoe_functions.gateway.listening import listen
from remoe_functions.gateway.server import GatewayServer
from remoe_functions.gateway.tokenizer import Tokenizer


class Shared(World):
    """A running gateway with a main and a runtime for each model; the parts' names repeat."""

    def __init__(self, *, mains, runtimes, **options):
        first = next(iter(mains))
        super().__init__(main=mains[first], runtime=runtimes[first], **options)
        self.mains, self.runtimes = mains, runtimes

    @property
    def entries(self):
        return self.gateway.services.models

    async def ask(self, model, key=None, **changes):
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        body = {"model": model, "prompt": "hello", "max_tokens": 20} | changes
        return await self.post("/v1/completions", body, headers=headers)

    async def listed(self, key=None):
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        body = (await self.get("/v1/models", headers=headers)).json()
        return {model["id"]: model for model in body["data"]}


def in_cluster(name, directory, **changes):
    """A model's configuration."""
    model = {"name": name, "service": name, "plan_digest": "0123abcd", "directory": directory}
    return model | {"plan": directory / "plan.json"} | changes


@asynccontextmanager
async def shared(*models, keys=None, **sections):
    """Run a gateway for these models until they were all tried."""
    config = GatewayConfig.model_validate(
        {"cluster": {"namespace": "ns"}, "models": models, "limits": {"held_wait_seconds": 5}}
        | sections
    )
    async with AsyncExitStack() as stack:
        names = [model.name for model in config.models]
        mains = {name: await stack.enter_async_context(FakeMain().serve()) for name in names}
        runtimes = {name: FakeRuntime(port=main.port) for name, main in mains.items()}
        gateway = Gateway.build(config, runtimes, keys=KeyRing(keys or {}), token="inner")
        listener = listen("127.0.0.1", 0)
        server = GatewayServer(gateway.app, config.limits, gateway.drain)
        w = Shared(
            mains=mains,
            runtimes=runtimes,
            port=listener.getsockname()[1],
            gateway=gateway,
            server=server,
            tokenizer=None,
        )
        await stack.enter_async_context(running(server, listener))
        async with asyncio.timeout(20):
            while (await w.get("/ready")).status_code != 200:
                await asyncio.sleep(0.01)
        yield w


def answers(main, directory, text):
    """Have a main answer so."""
    tokens = Tokenizer.open(directory).encode(text, add_special_tokens=False)
    main.answer = tokens
