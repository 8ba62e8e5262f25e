"""The main model's HTTP door, for the gateway: parse, submit, stream. Nothing is decided."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from remoe_functions.main.engine import Engine
from remoe_functions.main.errors import InvalidRequest, RequestError
from remoe_functions.main.probes import Probes
from remoe_functions.main.request import Deliver, Event, Failed, Finished, GenerateRequest
from remoe_functions.main.schema import error_body, line_of, parse_request
from remoe_functions.main.sequence import Sequence

MAX_BODY_BYTES = 16 << 20
NDJSON = "application/x-ndjson"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What the routes stand on.

    Attributes:
        engine: where requests go.
        token: what callers must present; None lets everybody in.
        info: the body of /info.
        registry: the metrics.
        answers: those under way, by request id.
    """

    engine: Engine
    token: str | None
    info: dict[str, Any]
    registry: CollectorRegistry
    # Weak: an answer is forgotten once neither its reader nor the engine holds it.
    answers: WeakValueDictionary[str, Answer] = field(default_factory=WeakValueDictionary)


def build_app(
    door: Callable[[], Door | None],
    probes: Probes,
    lifespan: Callable[[Starlette], Any] | None = None,
) -> Starlette:
    """The application; `door` gives None while the model is loading."""

    async def generate(request: Request) -> Response:
        return await _generate(request, door())

    async def end(request: Request) -> Response:
        return _end(request, door())

    async def info(request: Request) -> Response:
        found = door()
        if found is None:
            return _loading()
        return _refused(request, found) or JSONResponse(found.info)

    async def metrics(_: Request) -> Response:
        found = door()
        text = b"" if found is None else generate_latest(found.registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    routes = [
        Route("/generate", generate, methods=["POST"]),
        Route("/generate/{request_id}", end, methods=["DELETE"]),
        *probes.routes,
        Route("/info", info),
        Route("/metrics", metrics),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _generate(request: Request, door: Door | None) -> Response:
    if door is None:
        return _loading()
    if refusal := _refused(request, door):
        return refusal
    try:
        wanted = parse_request(await _body(request))
        answer = door.answers[wanted.request_id] = Answer(door.engine, wanted)
    except RequestError as error:
        headers = {"Retry-After": "1"} if error.status in (429, 503) else None
        return JSONResponse(error_body(error.code, str(error)), error.status, headers)
    except ClientDisconnect:
        return Response(status_code=499)
    return AnswerStream(answer)


def _end(request: Request, door: Door | None) -> Response:
    """The answer named has its last line with the next step; its reader gets the account."""
    if door is None:
        return _loading()
    if refusal := _refused(request, door):
        return refusal
    request_id = request.path_params["request_id"]
    answer = door.answers.get(request_id)
    if answer is None:
        body = error_body("not_found", f"no request {request_id[:200]!r} is under way")
        return JSONResponse(body, status_code=404)
    answer.end()
    return Response(status_code=204)


class Answer:
    """A submitted request and the events that come back for it."""

    def __init__(self, engine: Engine, wanted: GenerateRequest) -> None:
        """Submit a request.

        Raises:
            RequestError: the engine does not take it.
        """
        self._engine = engine
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._sequence: Sequence = engine.submit(wanted, self._deliverer())

    def end(self) -> None:
        """Produce no more tokens, only the last line."""
        self._engine.end(self._sequence)

    def leave(self) -> None:
        """Nobody reads it any more: free its slot, where it still holds one."""
        self._engine.cancel(self._sequence)

    async def lines(self) -> AsyncIterator[bytes]:
        """Its events as lines."""
        while True:
            event = await self._events.get()
            yield line_of(event)
            if isinstance(event, Finished | Failed):
                return

    def _deliverer(self) -> Deliver:
        # Not of ourselves: a sequence that held its answer would keep it known until a collection.
        loop, events = asyncio.get_running_loop(), self._events

        def deliver(event: Event) -> None:
            # A loop that closed has no readers left.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(events.put_nowait, event)

        return deliver


class AnswerStream(StreamingResponse):
    """An answer on its way to one reader.

    Left from here, not from the generator of its lines: a reader who goes before the first line
    leaves that one never started.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.lines(), media_type=NDJSON)
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines; the request is cancelled when the reader leaves."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._answer.leave()


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise InvalidRequest(f"body: more than {MAX_BODY_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


def _refused(request: Request, door: Door) -> Response | None:
    given = request.headers.get("authorization", "")
    if door.token is None or hmac.compare_digest(given.encode(), f"Bearer {door.token}".encode()):
        return None
    body = error_body("unauthorized", "the bearer token is missing or wrong")
    return JSONResponse(body, status_code=401)


def _loading() -> Response:
    body = error_body("loading", "the model is loading")
    return JSONResponse(body, status_code=503, headers={"Retry-After": "1"})
