"""The supervisor's control API: a `Runtime` offered to the parts over a Unix socket.

Doors only: parse, call the runtime, answer. Who may call is settled by the socket's file mode.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import aclosing
from pathlib import Path
from types import TracebackType

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from remoe_functions.runtime.errors import PartError, ScaleOutOfBounds, UnknownPart
from remoe_functions.runtime.runtime import Runtime

MAX_PATH_BYTES = 100
MAX_BODY_BYTES = 4096
_CLOSE_SECONDS = 1


def control_app(runtime: Runtime) -> Starlette:
    """The API: `PUT /parts/N/scale`, `POST /parts/N/wake`, `GET /parts`, `GET /watch`."""

    async def parts(_: Request) -> Response:
        return JSONResponse((await runtime.snapshot()).to_dict())

    async def scale(request: Request) -> Response:
        await runtime.scale(request.path_params["name"], await _replicas(request))
        return Response(status_code=204)

    async def wake(request: Request) -> Response:
        await runtime.wake(request.path_params["name"])
        return Response(status_code=204)

    async def watch(_: Request) -> Response:
        return StreamingResponse(_lines(runtime), media_type="application/x-ndjson")

    routes = [
        Route("/parts", parts),
        Route("/parts/{name}/scale", scale, methods=["PUT"]),
        Route("/parts/{name}/wake", wake, methods=["POST"]),
        Route("/watch", watch),
    ]
    return Starlette(routes=routes, exception_handlers={PartError: _refuse})


class ControlServer:
    """Serves the control API on a socket file of mode 0600. Use as an async context manager."""

    def __init__(self, runtime: Runtime, path: Path) -> None:
        """Offer `runtime` at `path`.

        Raises:
            ValueError: the path is longer than a Unix socket's may be.
        """
        if len(bytes(path)) > MAX_PATH_BYTES:
            raise ValueError(f"path must have at most {MAX_PATH_BYTES} bytes, got {path}")
        self.path = path
        config = uvicorn.Config(
            control_app(runtime),
            log_config=None,
            # A watch cut short by the end of the supervisor is no error worth a trace.
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=_CLOSE_SECONDS,
        )
        self._server = _QuietServer(config)
        self._serving: asyncio.Task[None] | None = None

    async def __aenter__(self) -> ControlServer:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen: calls queue from here on and are answered in a moment.

        Raises:
            OSError: the socket file cannot be made.
        """
        listener = _listen(self.path)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))

    async def close(self) -> None:
        """End watches, answer what is in flight, and remove the socket file."""
        if self._serving is None:
            return
        self._server.should_exit = True
        await self._serving
        self.path.unlink(missing_ok=True)


class _QuietServer(uvicorn.Server):
    """Leaves signals to the supervisor."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _listen(path: Path) -> socket.socket:
    """A listening socket that only its owner may reach from its very beginning."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        # Nobody can connect before `listen`, so there is no moment of a wider mode.
        path.chmod(0o600)
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


async def _lines(runtime: Runtime) -> AsyncIterator[bytes]:
    async with aclosing(runtime.watch()) as snapshots:
        async for snapshot in snapshots:
            yield json.dumps(snapshot.to_dict()).encode() + b"\n"


async def _replicas(request: Request) -> int:
    try:
        body = json.loads(await _bounded_body(request))
    except ValueError:
        body = None
    replicas = body.get("replicas") if isinstance(body, dict) else None
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise ScaleOutOfBounds('the body must be {"replicas": a whole number}')
    return replicas


async def _bounded_body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise ScaleOutOfBounds(f"the body must have at most {MAX_BODY_BYTES} bytes")
    return body


async def _refuse(_: Request, error: Exception) -> Response:
    status = {UnknownPart: 404, ScaleOutOfBounds: 422}.get(type(error), 503)
    return PlainTextResponse(str(error), status_code=status)
