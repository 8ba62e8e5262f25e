"""The other end of the gateway's wire: a small real server that speaks main's internal contract."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

USAGE = {
    "prompt_tokens": 3,
    "queue_seconds": 0.01,
    "prefill_seconds": 0.02,
    "decode_seconds": 0.03,
    "main_seconds": 0.5,
    "functions": {"f0": {"calls": 2, "rows": 8, "busy_seconds": 0.25}},
    "placements": {"local": 6, "remote": 4, "fallback": 0},
    "layers": [[3, 2, 0], [3, 2, 0]],
}


class DeadError(Exception):
    """Raised in a stream to cut the connection in the middle."""


@dataclass
class FakeMain:
    """Answers every job with `answer` (token ids), starting after the job's `generated`."""

    answer: list[int] = field(default_factory=list)
    finish: str = "stop"
    usage: dict | None = field(default_factory=lambda: dict(USAGE))
    die_after: list[int] = field(default_factory=list)
    refusals: list[tuple[int, dict]] = field(default_factory=list)
    error_line: dict | None = None
    routing: Callable[[dict], dict] | None = None
    token_pause: float = 0.0
    first_pause: float = 0.0
    end_status: int = 204
    heeds_end: bool = True
    ended: list[str] = field(default_factory=list)
    jobs: list[dict] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    open_streams: int = 0
    left: int = 0
    port: int = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def generate(self, request):
        job = await request.json()
        self.jobs.append(job)
        self.authorizations.append(request.headers.get("authorization"))
        if self.refusals:
            status, error = self.refusals.pop(0)
            return JSONResponse({"error": error}, status)
        return StreamingResponse(self.lines(job), media_type="application/x-ndjson")

    async def end(self, request):
        self.ended.append(request.path_params["request_id"])
        self.authorizations.append(request.headers.get("authorization"))
        return Response(status_code=self.end_status)

    async def lines(self, job):
        self.open_streams += 1
        try:
            await asyncio.sleep(self.first_pause)
            async for line in self.script(job):
                yield json.dumps(line) + "\n"
        except asyncio.CancelledError:
            self.left += 1
            raise
        finally:
            self.open_streams -= 1

    async def script(self, job):
        if self.error_line is not None:
            yield {"error": self.error_line}
            return
        tokens = self.answer[len(job["generated"]) : job["max_tokens"]]
        die_after = self.die_after.pop(0) if self.die_after else None
        given = 0
        for count, token in enumerate(tokens):
            if count == die_after:
                raise DeadError
            if self.heeds_end and job["request_id"] in self.ended:
                break
            given += 1
            yield self.token_line(job, token)
            if given == 1 and self.routing is not None and job["report_routing"]:
                yield {"prefill": self.routing(job)}
            await asyncio.sleep(self.token_pause)
        if die_after is not None:
            raise DeadError
        finish = "length" if len(self.answer) > job["max_tokens"] else self.finish
        counted = {"completion_tokens": len(job["generated"]) + given}
        yield {"finish": finish, "usage": self.usage and self.usage | counted}

    def token_line(self, job, token):
        if job["logprobs"] is None:
            return {"token": token}
        top = [[token, -0.5], [token + 1, -1.5], [token + 2, -2.5]][: job["logprobs"]]
        return {"token": token, "logprob": -0.5, "top": top}

    @asynccontextmanager
    async def serve(self, port=0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        self.port = listener.getsockname()[1]
        app = Starlette(
            routes=[
                Route("/generate", self.generate, methods=["POST"]),
                Route("/generate/{request_id}", self.end, methods=["DELETE"]),
            ]
        )
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="none"))
        async with running(server, listener):
            yield self


@asynccontextmanager
async def running(server, listener):
    """A uvicorn server without its ticks and pauses, which would cost each test half a second."""
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup(sockets=[listener])
    try:
        yield
    finally:
        for part in server.servers:
            part.close()
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await asyncio.gather(*server.server_state.tasks, return_exceptions=True)
        await server.lifespan.shutdown()
