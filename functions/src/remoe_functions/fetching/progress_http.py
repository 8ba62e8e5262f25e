"""Progress over HTTP: `GET /progress`, read only."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from remoe_functions.fetching.progress import ProgressMeter

_REQUEST_SECONDS = 5.0
_STOP_SECONDS = 0.1


@contextmanager
def told(meter: ProgressMeter, host: str, port: int) -> Iterator[int]:
    """Tell progress on this address; gives the port.

    Raises:
        OSError: the address cannot be had.
    """
    with ThreadingHTTPServer((host, port), _handler(meter)) as server:
        server.daemon_threads = True
        thread = threading.Thread(
            target=server.serve_forever, args=(_STOP_SECONDS,), name="progress", daemon=True
        )
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


def _handler(meter: ProgressMeter) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _REQUEST_SECONDS  # a client that sends nothing is dropped

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/progress":
                self._answer(HTTPStatus.NOT_FOUND, {"error": "served is /progress"})
                return
            self._answer(HTTPStatus.OK, meter.read().as_dict())

        def _answer(self, status: HTTPStatus, content: dict[str, object]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """It is asked every few seconds: not logged."""

    return Handler
