"""Server-sent events: an answer as it comes, comments while there is none, errors after the start.

Written by hand where sse-starlette would do most of it: its exit hook ends streams at once on
SIGTERM, and here streams in flight are to finish.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from remoe_functions.gateway.disconnection import until_client_leaves
from remoe_functions.gateway.errors import GatewayError, GenerationFailed

_logger = logging.getLogger(__name__)

KEEP_ALIVE = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"
# Frames ready but not sent; a client that reads slowly makes the answer wait, not memory grow.
_FRAMES_AHEAD = 64
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]

Put = Callable[[dict[str, Any]], Awaitable[None]]
Produce = Callable[[Put], Awaitable[None]]


def event(body: dict[str, Any]) -> bytes:
    """One event with a JSON body."""
    return (
        b"data: " + json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
    )


class EventStream:
    """An ASGI response. The status is decided by what comes first.

    An error that comes before anything else is a plain JSON error with its own status; silence
    for `keep_alive_seconds`, or a first event, commits to status 200, and an error after that is
    sent as an event. Either way a stream that began ends with `[DONE]`.
    """

    def __init__(self, produce: Produce, *, keep_alive_seconds: float) -> None:
        """Send what `produce` puts; it is cancelled when the client leaves."""
        self._produce = produce
        self._keep_alive_seconds = keep_alive_seconds
        self._frames: asyncio.Queue[bytes | GatewayError | None] = asyncio.Queue(_FRAMES_AHEAD)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        producing = asyncio.create_task(self._run())
        sending = asyncio.create_task(self._send_all(scope, receive, send))
        leaving = asyncio.create_task(until_client_leaves(receive))
        tasks = (producing, sending, leaving)
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not sending.cancelled():
            sending.result()

    async def _run(self) -> None:
        try:
            await self._produce(lambda body: self._frames.put(event(body)))
            await self._frames.put(None)
        except GatewayError as error:
            await self._frames.put(error)
        except Exception:
            _logger.exception("a stream failed")
            await self._frames.put(GenerationFailed("internal error", code="internal_error"))

    async def _send_all(self, scope: Scope, receive: Receive, send: Send) -> None:
        first = await self._next()
        if isinstance(first, GatewayError):
            refusal = JSONResponse(first.envelope, first.status, headers=first.headers)
            await refusal(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        frame: bytes | GatewayError | None = first
        while isinstance(frame, bytes):
            await _send(send, frame)
            frame = await self._next()
        if isinstance(frame, GatewayError):
            await _send(send, event(frame.envelope))
        await _send(send, DONE)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self) -> bytes | GatewayError | None:
        try:
            async with asyncio.timeout(self._keep_alive_seconds):
                return await self._frames.get()
        except TimeoutError:
            return KEEP_ALIVE


async def _send(send: Send, frame: bytes) -> None:
    await send({"type": "http.response.body", "body": frame, "more_body": True})
