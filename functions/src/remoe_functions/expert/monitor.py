"""Health, readiness and metrics over HTTP, for probes and scrapers; no calls come this way.

The socket listens from the start, so that a taken port is told at once. The HTTP machinery and
prometheus-client are imported when somebody first asks: in the background right after readiness
they would hold up the first calls, and many functions are never asked.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from remoe_functions.expert.meter import Meter

if TYPE_CHECKING:
    from http.server import ThreadingHTTPServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What the monitor asks of the function.

    Attributes:
        function: its name.
        kernel: what computes its experts.
        meter: its numbers.
        is_ready: whether it takes calls.
        in_flight: calls in flight.
        phases: seconds of each start-up phase.
    """

    function: str
    kernel: str
    meter: Meter
    is_ready: Callable[[], bool]
    in_flight: Callable[[], int]
    phases: Callable[[], Mapping[str, float]]


class Monitor:
    """A listening socket, and later the server behind it."""

    def __init__(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be had.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=64)
        self.port = int(self._socket.getsockname()[1])
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self._is_closed = False

    def start(self, watched: Watched) -> None:
        """Serve from a background thread."""
        thread = threading.Thread(target=self._serve, args=(watched,), name="monitor", daemon=True)
        thread.start()

    def close(self) -> None:
        """Stop serving and listening; may be called again."""
        with self._lock:
            self._is_closed = True
            server = self._server
        if server is not None:
            server.shutdown()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits to be asked
        self._socket.close()

    def _serve(self, watched: Watched) -> None:
        try:
            select.select([self._socket], [], [])
        except (OSError, ValueError):  # closed meanwhile
            return
        from remoe_functions.expert.monitor_http import server_on

        with self._lock:
            if self._is_closed:
                return
            self._server = server_on(self._socket, watched)
        try:
            self._server.serve_forever(poll_interval=0.1)
        except OSError as error:
            sys.stderr.write(f"the monitor has stopped: {error}\n")
