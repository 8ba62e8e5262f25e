"""Where connections wait until they have shown the token.

One thread watches them all, so a thousand that say nothing cost a thousand small waits and no
thread each; the oldest makes room for a new one. What a connection does once it is known does not
belong here.
"""

from __future__ import annotations

import contextlib
import hmac
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from remoe_functions.wire.errors import CallRefused, ConnectionLost, ProtocolError
from remoe_functions.wire.frame import encode_refusal, text_of
from remoe_functions.wire.header import Header, Kind
from remoe_functions.wire.limits import Capacity
from remoe_functions.wire.message import OnRefusal, Refusal, RefusalCode
from remoe_functions.wire.reader import FrameReader

_ACCEPT_PAUSE_SECONDS = 0.05
_DISCARD_BYTES = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Stranger:
    """A connection that has not shown the token yet."""

    connection: socket.socket
    reader: FrameReader
    leaves_at: float


class Lobby:
    """Accepts connections and admits those that know the token.

    Args:
        listener: a listening socket; the lobby closes it.
        token: what a hello must carry.
        capacity: bounds the strangers and their time.
        welcome: takes over a connection that has shown the token; raises CallRefused when there
            is no place for it.
        on_refusal: told the code of every refusal before it is sent.
    """

    def __init__(
        self,
        listener: socket.socket,
        *,
        token: str,
        capacity: Capacity,
        welcome: Callable[[socket.socket], None],
        on_refusal: OnRefusal,
    ) -> None:
        self._listener = listener
        self._token = token.encode()
        self._capacity = capacity
        self._welcome = welcome
        self._on_refusal = on_refusal
        self._strangers: dict[int, Stranger] = {}
        self._selector = selectors.DefaultSelector()
        self._bell, self._ringer = socket.socketpair()
        self._is_open = True
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._bell, selectors.EVENT_READ, None)

    def run(self) -> None:
        """Watches until `end`; leaves every socket that is still its own closed."""
        try:
            while self._is_open:
                for key, _ in self._selector.select(self._patience_seconds()):
                    if key.data is not None:
                        key.data()
                self._show_out_late()
        finally:
            self._close()

    def end(self) -> None:
        """Makes `run` return; for other threads."""
        self._is_open = False
        with contextlib.suppress(OSError):  # it has already ended
            self._ringer.send(b"\0")

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:  # no descriptor is left: make room, and let others finish
            self._show_out_oldest()
            time.sleep(_ACCEPT_PAUSE_SECONDS)
            return
        if len(self._strangers) >= self._capacity.max_strangers:
            self._show_out_oldest()
        self._seat(connection)

    def _seat(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stranger = Stranger(
            connection,
            FrameReader(connection, _require_hello),
            time.monotonic() + self._capacity.hello_timeout_seconds,
        )
        self._strangers[connection.fileno()] = stranger
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._listen_to(stranger))

    def _listen_to(self, stranger: Stranger) -> None:
        try:
            _, data = stranger.reader.read()
            self._release(stranger)
            self._admit(stranger.connection, text_of(data))
        except BlockingIOError:
            return
        except ProtocolError as error:
            self._refuse(stranger, error.code, str(error))
        except CallRefused as error:
            self._refuse(stranger, error.code, error.message)
        except (ConnectionLost, OSError):
            self._show_out(stranger)

    def _admit(self, connection: socket.socket, token: bytes) -> None:
        if not hmac.compare_digest(token, self._token):
            raise CallRefused(RefusalCode.UNAUTHORIZED, "the token is not the one expected")
        self._welcome(connection)

    def _refuse(self, stranger: Stranger, code: RefusalCode, message: str) -> None:
        self._on_refusal(code)
        frame = encode_refusal(Refusal(call_id=0, code=code, message=message))
        try:
            stranger.connection.sendmsg(frame.buffers)
            stranger.connection.shutdown(socket.SHUT_WR)
            stranger.connection.recv(_DISCARD_BYTES)  # a close over unread bytes would reset it
        except OSError:
            pass  # it was told as well as could be
        self._show_out(stranger)

    def _patience_seconds(self) -> float | None:
        if not self._strangers:
            return None
        oldest = next(iter(self._strangers.values()))
        return max(0.0, oldest.leaves_at - time.monotonic())

    def _show_out_late(self) -> None:
        now = time.monotonic()
        while self._strangers and next(iter(self._strangers.values())).leaves_at <= now:
            self._show_out_oldest()

    def _show_out_oldest(self) -> None:
        if self._strangers:
            self._show_out(next(iter(self._strangers.values())))

    def _show_out(self, stranger: Stranger) -> None:
        self._release(stranger)
        stranger.connection.close()

    def _release(self, stranger: Stranger) -> None:
        if self._strangers.pop(stranger.connection.fileno(), None) is not None:
            self._selector.unregister(stranger.connection)

    def _close(self) -> None:
        while self._strangers:
            self._show_out_oldest()
        self._selector.close()
        for end in (self._listener, self._bell, self._ringer):
            end.close()


def _require_hello(header: Header) -> None:
    if header.kind != Kind.HELLO:
        raise ProtocolError(f"kind: got {header.kind}, expected a hello")
