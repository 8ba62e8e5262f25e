"""The gateway as an ASGI application: routes, and every error in OpenAI's envelope."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from remoe_functions.gateway import answering, describing
from remoe_functions.gateway.access import usable
from remoe_functions.gateway.errors import GatewayError, envelope
from remoe_functions.gateway.request_id import RequestIds
from remoe_functions.gateway.services import Services

Handler = Callable[[Request], Awaitable[ASGIApp]]
Lifespan = Callable[[], AbstractAsyncContextManager[None]]

_CLIENT_CLOSED_REQUEST = 499


def build_app(services: Services, lifespan: Lifespan) -> ASGIApp:
    """The application over these services; `lifespan` runs what runs beside the requests."""

    @asynccontextmanager
    async def alive(_app: Starlette) -> AsyncIterator[None]:
        async with lifespan():
            yield

    app = Starlette(
        routes=[*_keyed_routes(), *_open_routes()],
        lifespan=alive,
        exception_handlers={
            GatewayError: _tell,
            HTTPException: _tell_http,
            ClientDisconnect: _tell_nobody,
            Exception: _tell_internal,
        },
    )
    app.state.services = services
    return RequestIds(app)


def _keyed_routes() -> list[Route]:
    return [
        Route("/v1/chat/completions", _Keyed(answering.chat_completions), methods=["POST"]),
        Route("/v1/completions", _Keyed(answering.completions), methods=["POST"]),
        Route("/v1/models", _Keyed(describing.models), methods=["GET"]),
        Route("/v1/models/{name:path}", _Keyed(describing.model), methods=["GET"]),
        Route("/tokenize", _Keyed(describing.tokenize), methods=["POST"]),
        Route("/detokenize", _Keyed(describing.detokenize), methods=["POST"]),
    ]


def _open_routes() -> list[Route]:
    return [
        Route("/health", describing.health),
        Route("/ready", describing.ready),
        Route("/metrics", describing.metrics),
        Route("/usage", describing.usage),
        Route("/version", describing.show_version),
    ]


class _Keyed:
    """A route that opens to a key only, before a byte of the body is read."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        usable(request)
        response = await self._handler(request)
        await response(scope, receive, send)


def _tell(_request: Request, error: Exception) -> Response:
    if not isinstance(error, GatewayError):
        raise error
    return JSONResponse(error.envelope, error.status, headers=error.headers)


def _tell_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    message = f"{request.method} {request.url.path}: {error.detail}"
    body = envelope(message, "invalid_request_error", code=_code(error.status_code))
    return JSONResponse(body, error.status_code, headers=error.headers)


def _code(status: int) -> str | None:
    return {404: "not_found", 405: "method_not_allowed"}.get(status)


def _tell_nobody(_request: Request, _error: Exception) -> Response:
    return Response(status_code=_CLIENT_CLOSED_REQUEST)


def _tell_internal(_request: Request, _error: Exception) -> Response:
    body = envelope("internal error", "server_error", code="internal_error")
    return JSONResponse(body, 500)
