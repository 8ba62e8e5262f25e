"""The monitor's HTTP: three paths, read only. Imported after readiness."""

from __future__ import annotations

import socket
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from remoe_functions.expert.metrics import CONTENT_TYPE, FunctionCollector, exposition
from remoe_functions.expert.monitor import Watched

Reply = tuple[HTTPStatus, str, bytes]
_TEXT = "text/plain; charset=utf-8"
_REQUEST_SECONDS = 5.0


def server_on(listener: socket.socket, watched: Watched) -> ThreadingHTTPServer:
    """A server that answers /health, /ready and /metrics on a listening socket."""
    paths = _paths(watched)

    class Handler(BaseHTTPRequestHandler):
        timeout = _REQUEST_SECONDS  # a client that sends nothing is dropped

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            status, content_type, body = paths.get(path, _not_found)()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes come every second: they are not logged."""

    server = ThreadingHTTPServer(listener.getsockname()[:2], Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.daemon_threads = True
    return server


def _paths(watched: Watched) -> dict[str, Callable[[], Reply]]:
    text = exposition(
        FunctionCollector(
            watched.function, watched.kernel, watched.meter, watched.in_flight, watched.phases
        )
    )

    def ready() -> Reply:
        if watched.is_ready():
            return HTTPStatus.OK, _TEXT, b"ready\n"
        return HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, b"draining\n"

    return {
        "/health": lambda: (HTTPStatus.OK, _TEXT, b"alive\n"),
        "/ready": ready,
        "/metrics": lambda: (HTTPStatus.OK, CONTENT_TYPE, text()),
    }


def _not_found() -> Reply:
    return HTTPStatus.NOT_FOUND, _TEXT, b"served are /health, /ready and /metrics\n"
