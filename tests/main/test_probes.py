"""What probes and the operator hear of a main model that loads, works and ends."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace

import httpx
from starlette.applications import Starlette

from remoe_functions.main.probes import HOLD_SECONDS, Probes


class Main:
    def __init__(self):
        self.engine = None
        self.draining = False
        probes = Probes(
            engine=lambda: self.engine,
            is_draining=lambda: self.draining,
            phases=lambda: {"imports": 1.5},
        )
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(Starlette(routes=probes.routes)), base_url="http://main"
        )

    def load(self, running=0, waiting=0):
        self.engine = SimpleNamespace(
            running=[None] * running, waiting=[None] * waiting, idle_seconds=3.0
        )

    async def status(self):
        return (await self.http.get("/ready")).status_code


@contextlib.asynccontextmanager
async def main_model():
    main = Main()
    async with main.http:
        yield main


async def test_loading_main_is_alive_and_not_ready():
    async with main_model() as main:
        assert (await main.http.get("/health")).status_code == 200
        assert await main.status() == 503
        assert (await main.http.get("/activity")).json() == {
            "ready": False,
            "in_flight": 0,
            "waiting": 0,
            "idle_seconds": 0.0,
            "phases": {"imports": 1.5},
        }


async def test_probe_that_comes_too_early_is_answered_the_moment_the_model_is_loaded():
    async with main_model() as main, asyncio.timeout(HOLD_SECONDS * 20):
        asked = asyncio.create_task(main.status())
        await asyncio.sleep(0.05)
        assert not asked.done()
        main.load()
        assert await asked == 200


async def test_draining_main_is_not_ready_and_says_so_at_once():
    async with main_model() as main:
        asked = asyncio.create_task(main.status())
        await asyncio.sleep(0)
        main.draining = True
        assert await asked == 503
        main.load()
        assert await main.status() == 503
        assert (await main.http.get("/activity")).json()["ready"] is False


async def test_activity_tells_requests_with_a_slot_apart_from_those_without():
    async with main_model() as main:
        main.load(running=3, waiting=2)
        body = (await main.http.get("/activity")).json()
        assert (body["ready"], body["in_flight"], body["waiting"]) == (True, 3, 2)
        assert body["idle_seconds"] == 3.0
