"""The function's end of the wire: listens, admits, and answers calls with a handler.

Threads and blocking sockets: one thread for strangers, one for each connection that has shown the
token. What the handler computes, metrics and readiness do not belong here.
"""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass

from remoe_functions.wire.admission import Admission
from remoe_functions.wire.errors import CallRefused
from remoe_functions.wire.frame import encode_welcome
from remoe_functions.wire.limits import Capacity, Limits
from remoe_functions.wire.lobby import Lobby
from remoe_functions.wire.message import OnRefusal, RefusalCode
from remoe_functions.wire.session import Handler, Session

_BACKLOG = 1_024
_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class _Guest:
    """A connection that has shown the token, and the thread that serves it."""

    session: Session
    thread: threading.Thread


class Server:
    """Answers calls with `handler`.

    Args:
        handler: called from several threads, at most `capacity.compute_slots` at once. It may
            raise CallRefused to refuse with a code of its choice; any other exception becomes an
            INTERNAL refusal. The arrays of a call are its own to keep or to overwrite.
        token: what clients must show.
        limits: for the calls that are read.
        capacity: how much is taken on at once.
        on_refusal: told the code of every refusal, the handler's too, just before it is sent;
            called from several threads, must not block nor raise.

    Raises:
        ValueError: the token is empty.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        token: str,
        limits: Limits | None = None,
        capacity: Capacity | None = None,
        on_refusal: OnRefusal | None = None,
    ) -> None:
        if not token:
            raise ValueError("token must not be empty")
        self._handler = handler
        self._token = token
        self._limits = limits or Limits()
        self._capacity = capacity or Capacity()
        self._on_refusal = on_refusal or _tell_nobody
        self._admission = Admission(self._capacity)
        self._guests: set[_Guest] = set()
        self._guests_lock = threading.Lock()
        self._is_stopped = False
        self._lobby: Lobby | None = None
        self._lobby_thread: threading.Thread | None = None

    def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listens on `host`; returns the port (port 0 takes any free one).

        Raises:
            OSError: the address cannot be had.
            RuntimeError: it was started before.
        """
        if self._lobby is not None:
            raise RuntimeError("a server is started once")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        bound_port = int(listener.getsockname()[1])
        self._lobby = Lobby(
            listener,
            token=self._token,
            capacity=self._capacity,
            welcome=self._welcome,
            on_refusal=self._on_refusal,
        )
        self._lobby_thread = threading.Thread(
            target=self._lobby.run, name="wire-lobby", daemon=True
        )
        self._lobby_thread.start()
        return bound_port

    @property
    def in_flight(self) -> int:
        """Calls that wait, compute or send their answer."""
        return self._admission.in_flight

    @property
    def idle_seconds(self) -> float:
        """Time since the last call was answered (or since the start); zero while one is."""
        return self._admission.idle_seconds

    @property
    def connections(self) -> int:
        """Connections that have shown the token."""
        return len(self._guests)

    def drain(self, timeout_seconds: float) -> bool:
        """Refuses new calls (DRAINING) and waits until those in flight are answered.

        Returns:
            Whether all were answered within `timeout_seconds`.
        """
        return self._admission.drain(timeout_seconds)

    def stop(self) -> None:
        """Closes every connection; a call still computing gets a few seconds to end its thread."""
        with self._guests_lock:
            self._is_stopped = True
            guests = list(self._guests)
        for guest in guests:
            guest.session.end()
        if self._lobby is not None and self._lobby_thread is not None:
            self._lobby.end()
            self._lobby_thread.join(_STOP_SECONDS)
        for guest in guests:
            guest.thread.join(_STOP_SECONDS)

    def _welcome(self, connection: socket.socket) -> None:
        with self._guests_lock:
            if self._is_stopped or len(self._guests) >= self._capacity.max_connections:
                raise CallRefused(RefusalCode.BUSY, "too many connections")
            connection.sendmsg(encode_welcome(self._limits).buffers)
            guest = self._guest(connection)
            try:
                guest.thread.start()
            except RuntimeError as error:  # the system has no thread left
                raise CallRefused(RefusalCode.BUSY, str(error)) from error
            self._guests.add(guest)

    def _guest(self, connection: socket.socket) -> _Guest:
        session = Session(
            connection,
            self._handler,
            self._admission,
            limits=self._limits,
            stall_timeout_seconds=self._capacity.stall_timeout_seconds,
            on_refusal=self._on_refusal,
        )

        def serve() -> None:
            session.run()
            with self._guests_lock:
                self._guests.discard(guest)

        thread = threading.Thread(target=serve, name="wire-session", daemon=True)
        guest = _Guest(session, thread)
        return guest


def _tell_nobody(_: RefusalCode) -> None:
    pass
