"""The gateway's process: connections, signals, end. What it serves is `composition`'s.

1. SIGTERM: /ready says no, answers ask their connections to close, requests go on to be taken
2. after the lame-duck time: the listener closes, answers in flight get their budget
3. the process ends with status 0
"""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from remoe_functions.gateway.config import LimitsConfig
from remoe_functions.gateway.connection import BoundedConnection, ConnectionKnobs
from remoe_functions.gateway.draining import Drain
from remoe_functions.gateway.listening import BACKLOG

_logger = logging.getLogger(__name__)

# Files the process needs beside connections: shards, logs, the control socket, the loop's own.
_OTHER_FILES = 128
# After the streams' budget, so that they can say goodbye.
_GRACE_SECONDS = 5


class GatewayServer(uvicorn.Server):
    """uvicorn's server; a signal begins the drain, and the process then ends with status 0."""

    def __init__(
        self,
        app: ASGIApp,
        limits: LimitsConfig,
        drain: Drain,
        *,
        on_started: Callable[[], None] = lambda: None,
    ) -> None:
        """Serve `app`; `on_started` is called once requests are taken."""
        super().__init__(_uvicorn_config(app, limits, drain))
        self._drain = drain
        self._lame_duck_seconds = limits.lame_duck_seconds
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()

    def exit_soon(self) -> None:
        """Announce the end, and come to it after the lame-duck time; asked again, at once."""
        if self._drain.leaving or not self._lame_duck_seconds:
            self._exit()
            return
        _logger.info("leaving: requests are taken for %g s still", self._lame_duck_seconds)
        self._drain.announce()
        for connection in tuple(self.server_state.connections):
            if isinstance(connection, BoundedConnection):
                connection.close_after_answer()
        asyncio.get_running_loop().call_later(self._lame_duck_seconds, self._exit)

    def _exit(self) -> None:
        """Stop accepting, let what runs finish within the budget, then end."""
        self._drain.begin()
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but without raising the signal again at the end."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, self.exit_soon)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)


def _uvicorn_config(app: ASGIApp, limits: LimitsConfig, drain: Drain) -> uvicorn.Config:
    knobs = ConnectionKnobs(
        request_seconds=limits.idle_connection_seconds,
        stalled_write_seconds=limits.stalled_write_seconds,
        max_connections=min(limits.max_connections, connections_possible()),
    )
    return uvicorn.Config(
        app,
        http=BoundedConnection.factory(knobs, lambda: drain.leaving),  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=int(max(1, limits.idle_connection_seconds)),
        timeout_graceful_shutdown=int(limits.drain_seconds) + _GRACE_SECONDS,
    )


def connections_possible() -> int:
    """Clients that the process has files for; each may need one to main as well.

    Raises the soft limit on open files as far as the system allows.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return max(1, (soft - _OTHER_FILES) // 2)
