"""Reads frames from a socket, a part at a time where it must.

A frame is received into one buffer, header and all, that its arrays then lie in. Most frames are as
long as the one before: the buffer is made that long beforehand, so that a frame of usual length is
one system call and no copy. What has come of a frame is kept when the socket has no more for now,
so a caller that stops waiting in the middle of an answer loses nothing. What a frame means does not
belong here.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from remoe_functions.wire.errors import ConnectionLost
from remoe_functions.wire.header import HEADER_BYTES, PREFIX_BYTES, Header, check_prefix, unpack
from remoe_functions.wire.received import FrameBytes

_LONGEST_USUAL_BYTES = 8 * 1024 * 1024


class FrameReader:
    """Takes one frame after the other from `connection`.

    Args:
        connection: blocking or not.
        admit: judges a header before memory is taken for its body; raises ProtocolError.
        head_flags: of `recv_into`, until the header is here.
        body_flags: of `recv_into`, once it is; the buffer then ends with the frame, so MSG_WAITALL
            does not wait for the next.
    """

    def __init__(
        self,
        connection: socket.socket,
        admit: Callable[[Header], None],
        *,
        head_flags: int = 0,
        body_flags: int = 0,
    ) -> None:
        self._receive_into = connection.recv_into
        self._admit = admit
        self._head_flags = head_flags
        self._body_flags = body_flags
        self._usual_bytes = HEADER_BYTES
        self._surplus = b""
        self._header: Header | None = None
        self.prepare()

    @property
    def has_begun(self) -> bool:
        """Whether a part of a frame is here; it may be all of it, and then no poll will tell."""
        return self._got_bytes > 0 or len(self._surplus) > 0

    def prepare(self) -> None:
        """Makes the next frame's buffer, so that it need not be made once the frame is here."""
        surplus = self._surplus
        self._data = bytearray(max(self._usual_bytes, len(surplus)))
        self._view = memoryview(self._data)
        self._got_bytes = len(surplus)
        self._is_prepared = True
        if surplus:
            self._view[: len(surplus)] = surplus
            self._surplus = b""

    def read(self, *, may_block: bool = False) -> tuple[Header, FrameBytes]:
        """One whole frame.

        Args:
            may_block: lets the first system call wait on a blocking socket, whatever the flags.

        Raises:
            BlockingIOError: the socket has no more for now; call again to go on.
            ConnectionLost: the other end closed the connection.
            ProtocolError: the header is no good; the connection cannot be used further.
            OSError: the connection broke.
        """
        if not self._is_prepared:
            self.prepare()
        header = self._header
        if header is None:
            if not self._got_bytes:
                self._fill(0 if may_block else self._head_flags)
            while self._got_bytes < HEADER_BYTES:
                self._fill(self._head_flags)
            header = self._header = unpack(self._view)
            self._admit(header)
            if HEADER_BYTES + header.body_bytes != len(self._view):
                self._refit(HEADER_BYTES + header.body_bytes)
        while self._got_bytes < len(self._view):
            self._fill(self._body_flags)
        self._header = None
        self._is_prepared = False
        self._got_bytes = 0
        return header, self._data

    def _refit(self, frame_bytes: int) -> None:
        """This frame is not of the usual length: moves what has come into a buffer that is."""
        got = self._view[: self._got_bytes]
        self._data = bytearray(frame_bytes)
        self._view = memoryview(self._data)
        self._got_bytes = min(len(got), frame_bytes)
        self._view[: self._got_bytes] = got[:frame_bytes]
        self._surplus = bytes(got[frame_bytes:])
        self._usual_bytes = frame_bytes if frame_bytes <= _LONGEST_USUAL_BYTES else HEADER_BYTES

    def _fill(self, flags: int) -> None:
        got = self._got_bytes
        count = self._receive_into(self._view[got:] if got else self._view, 0, flags)
        if not count:
            part = "in the middle of a frame" if got else "between frames"
            raise ConnectionLost(f"the other end closed the connection {part}")
        self._got_bytes = got = got + count
        if got < HEADER_BYTES and got >= PREFIX_BYTES:
            check_prefix(self._view)
