"""What a probe or the operator may ask of the main model without a token: numbers, never text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from remoe_functions.main.engine import Engine

# A probe that comes a little too early is held, and answered the moment the model is loaded.
HOLD_SECONDS = 0.8
_LOOK_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """The routes for those who watch over this process.

    Attributes:
        engine: gives the engine, or None while the model is loading.
        is_draining: whether the process was told to end.
        phases: seconds of each start-up phase so far.
    """

    engine: Callable[[], Engine | None]
    is_draining: Callable[[], bool]
    phases: Callable[[], Mapping[str, float]]

    @property
    def routes(self) -> list[Route]:
        """`/health`, `/ready` and `/activity`."""
        return [
            Route("/health", self._health),
            Route("/ready", self._ready),
            Route("/activity", self._activity),
        ]

    @property
    def is_ready(self) -> bool:
        """Whether requests are taken."""
        return self.engine() is not None and not self.is_draining()

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _ready(self, _: Request) -> Response:
        loop = asyncio.get_running_loop()
        until = loop.time() + HOLD_SECONDS
        # Loaded on another thread, which knows no loop.
        while (  # noqa: ASYNC110
            self.engine() is None and not self.is_draining() and loop.time() < until
        ):
            await asyncio.sleep(_LOOK_SECONDS)
        ready = self.is_ready
        return JSONResponse({"ready": ready}, status_code=200 if ready else 503)

    async def _activity(self, _: Request) -> Response:
        engine = self.engine()
        body = {
            "ready": self.is_ready,
            # Requests being worked at, without those that wait for a slot.
            "in_flight": 0 if engine is None else len(engine.running),
            "waiting": 0 if engine is None else len(engine.waiting),
            "idle_seconds": 0.0 if engine is None else engine.idle_seconds,
            "phases": dict(self.phases()),
        }
        return JSONResponse(body)
