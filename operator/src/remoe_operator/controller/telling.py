"""`/health` and `/metrics`, from a thread of their own.

Not from the event loop, which Kopf owns, and whose standstill is just what has to be told. The
standard library's server will do: the kubelet and Prometheus are all who ask.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from remoe_operator.controller.pulse import Pulse

_LOG = logging.getLogger(__name__)
_ANSWER_SECONDS = 10.0


@contextmanager
def telling(
    pulse: Pulse, registry: CollectorRegistry, *, host: str, port: int
) -> Iterator[tuple[str, int]]:
    """Answer while the block runs; gives the address that is listened on.

    Raises:
        OSError: the address is taken, or not to be had.
    """
    server = ThreadingHTTPServer((host, port), _handler(pulse, registry))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield str(server.server_address[0]), int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5.0)


def _handler(pulse: Pulse, registry: CollectorRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _ANSWER_SECONDS

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(registry))
            elif path == "/health":
                ailment = pulse.ailment()
                said = (ailment or "ok").encode() + b"\n"
                self._answer(503 if ailment else 200, "text/plain; charset=utf-8", said)
            else:
                self._answer(404, "text/plain; charset=utf-8", b"/health or /metrics\n")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            _LOG.debug(format, *args)

    return Handler
