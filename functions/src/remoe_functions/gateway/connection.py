"""A client's connection, bounded in everything it may hold on to.

uvicorn bounds the idle time between two requests only. Here a connection that sends nothing, a
request that trickles in, an endless head and an answer that nobody reads are ended too.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from remoe_functions.gateway.errors import envelope

MAX_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionKnobs:
    """Bounds of one connection, and on their number.

    Attributes:
        request_seconds: from the first wait for a request to its last byte.
        stalled_write_seconds: how long a client may leave a full buffer unread.
        max_connections: connections open at once.
    """

    request_seconds: float
    stalled_write_seconds: float
    max_connections: int

    def __post_init__(self) -> None:
        for name in ("request_seconds", "stalled_write_seconds", "max_connections"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be > 0, got {getattr(self, name)}")


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's protocol with two alarms: the request is late, the answer is not read.

    While the gateway is leaving, every answer closes its connection, so that whoever keeps one open
    makes the next elsewhere.
    """

    def __init__(
        self,
        knobs: ConnectionKnobs,
        leaving: Callable[[], bool],
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._knobs = knobs
        self._leaving = leaving
        self._request_alarm: asyncio.TimerHandle | None = None
        self._write_alarm: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._in_head = False

    @classmethod
    def factory(
        cls, knobs: ConnectionKnobs, leaving: Callable[[], bool]
    ) -> partial[BoundedConnection]:
        """What uvicorn's `http` setting takes."""
        return partial(cls, knobs, leaving)

    def close_after_answer(self) -> None:
        """Close with the end of the answer under way; one that idles is left to its client."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        if len(self.connections) > self._knobs.max_connections:
            self.transport.abort()
        else:
            self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        _disarm(self._request_alarm)
        _disarm(self._write_alarm)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        went_on = self._in_head
        super().data_received(data)
        self._head_bytes = self._head_bytes + len(data) if self._in_head and went_on else 0
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(431, f"the request's head must be at most {MAX_HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._await_request()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()
        if self._leaving():
            self.close_after_answer()

    def on_message_complete(self) -> None:
        _disarm(self._request_alarm)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle is None or self.cycle.response_complete:
            self._await_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        _disarm(self._write_alarm)
        self._write_alarm = self._alarm(self._knobs.stalled_write_seconds)

    def resume_writing(self) -> None:
        _disarm(self._write_alarm)
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, msg)

    def _await_request(self) -> None:
        _disarm(self._request_alarm)
        self._request_alarm = self._alarm(self._knobs.request_seconds)

    def _alarm(self, seconds: float) -> asyncio.TimerHandle:
        # Abort, not close: closing would wait for a client to read what it does not read.
        return self.loop.call_later(seconds, self.transport.abort)

    def _refuse(self, status: int, message: str) -> None:
        body = json.dumps(envelope(message, "invalid_request_error")).encode()
        head = (
            STATUS_LINE[status]
            + b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
            % len(body)
        )
        self.transport.write(head + body)
        self.transport.close()


def _disarm(alarm: asyncio.TimerHandle | None) -> None:
    if alarm is not None:
        alarm.cancel()
