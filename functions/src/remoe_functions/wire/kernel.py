"""Bounds on blocking socket calls, kept by the kernel.

Python's own (`settimeout`) costs a poll before every call.
"""

from __future__ import annotations

import math
import socket
import struct

_TIMEVAL = struct.Struct("@ll")
_MICROSECONDS = 1_000_000
_LONGEST_SECONDS = 86_400.0


def bound_waits(
    connection: socket.socket,
    *,
    receive_seconds: float | None = None,
    send_seconds: float | None = None,
) -> None:
    """Makes blocking receives and sends of `connection` raise BlockingIOError after their bound."""
    if receive_seconds is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(receive_seconds))
    if send_seconds is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(send_seconds))


def _timeval(seconds: float) -> bytes:
    # rounded up: zero would mean no bound at all
    microseconds = math.ceil(min(seconds, _LONGEST_SECONDS) * _MICROSECONDS)
    return _TIMEVAL.pack(*divmod(max(1, microseconds), _MICROSECONDS))
