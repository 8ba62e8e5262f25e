"""Health, readiness, activity and metrics over HTTP, for probes and scrapers; no calls come here.

It listens from the process's first moments: a taken port is told at once, and a readiness probe
that comes too early is held for a while, so that it is answered the moment the function is ready.

The HTTP is by hand, since on a cluster every function is probed while its first callers wait:
`http.server` takes 35 ms to import here, prometheus-client 80 ms, and several times that under a
small share of a busy processor, where a probe gives up after a second.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from remoe_functions.expert.monitor_http import RequestError, read_path, response

if TYPE_CHECKING:
    from remoe_functions.expert.meter import Meter
    from remoe_functions.expert.monitor_replies import Replies

HOLD_SECONDS = 0.8
_MAX_CLIENTS = 128
_REST_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What the monitor asks of a function that is ready.

    Attributes:
        function: its name.
        kernel: what computes its experts.
        meter: its numbers.
        is_ready: whether it takes calls.
        in_flight: calls in flight.
        idle_seconds: time since the last call was answered, or since the start.
    """

    function: str
    kernel: str
    meter: Meter
    is_ready: Callable[[], bool]
    in_flight: Callable[[], int]
    idle_seconds: Callable[[], float]


class Monitor:
    """Answers from background threads, from its making until it is closed."""

    def __init__(self, host: str, port: int, phases: Callable[[], Mapping[str, float]]) -> None:
        """Listen, and answer that the function is starting.

        Args:
            host: address to listen on.
            port: 0 for any.
            phases: seconds of each start-up phase so far.

        Raises:
            OSError: the address cannot be had.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=64)
        self.port = int(self._socket.getsockname()[1])
        self.phases = phases
        self.watched: Watched | None = None
        self._opened = threading.Event()
        self._is_closed = False
        self._clients = threading.BoundedSemaphore(_MAX_CLIENTS)
        self._replies: Replies | None = None
        threading.Thread(target=self._serve, name="monitor", daemon=True).start()

    def open(self, watched: Watched) -> None:
        """Say that the function is ready, and tell of it from now on."""
        self.watched = watched
        self._opened.set()

    def await_opening(self) -> None:
        """Return once the function is ready, or a probe's patience is at its end."""
        self._opened.wait(HOLD_SECONDS)

    def close(self) -> None:
        """Stop listening; may be called again."""
        self._is_closed = True
        self._opened.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits to be asked
        self._socket.close()

    def _serve(self) -> None:
        while not self._is_closed:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed, or out of descriptors for a moment
                time.sleep(_REST_SECONDS)
                continue
            if self._clients.acquire(blocking=False):
                threading.Thread(target=self._attend, args=(connection,), daemon=True).start()
            else:
                connection.close()

    def _attend(self, connection: socket.socket) -> None:
        try:
            with connection:
                self._answer(connection)
        except OSError:
            return  # whoever asked has left
        finally:
            self._clients.release()

    def _answer(self, connection: socket.socket) -> None:
        try:
            path = read_path(connection)
        except RequestError as error:
            connection.sendall(response(error.status, "text/plain", f"{error}\n".encode()))
            return
        # What makes the answers is not needed before somebody asks.
        from remoe_functions.expert.monitor_replies import Replies

        self._replies = self._replies or Replies(self)
        connection.sendall(response(*self._replies.to(path)))
