"""As much HTTP as a probe or a scraper speaks: one GET without a body, one answer, the end.

What is answered is in `monitor_replies`; why this is by hand is told in `monitor`.
"""

from __future__ import annotations

import socket
import time

REQUEST_SECONDS = 5.0
MAX_REQUEST_BYTES = 16 << 10
_END = b"\r\n\r\n"
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


class RequestError(Exception):
    """What came is not a request that is answered here.

    Attributes:
        status: the HTTP status that says so.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def read_path(connection: socket.socket) -> str:
    """Read a request and return its path, without a query.

    Raises:
        RequestError: it is malformed, too long, or no GET.
        OSError: the client left, or did not send it in time.
    """
    head = _read_head(connection)
    words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise RequestError(400, "not an HTTP request")
    if words[0] != "GET":
        raise RequestError(405, "only GET is answered")
    return words[1].partition("?")[0]


def response(status: int, content_type: str, body: bytes) -> bytes:
    """A whole response; the connection ends with it."""
    lines = [
        f"HTTP/1.1 {status} {_REASONS[status]}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    return "\r\n".join(lines).encode() + _END + body


def _read_head(connection: socket.socket) -> bytes:
    until = time.monotonic() + REQUEST_SECONDS
    head = b""
    while _END not in head:
        if len(head) > MAX_REQUEST_BYTES:
            raise RequestError(431, f"a request has at most {MAX_REQUEST_BYTES} bytes")
        # Of the whole, not of each piece: a client that trickles is dropped, too.
        connection.settimeout(max(0.001, until - time.monotonic()))
        piece = connection.recv(4096)
        if not piece:
            raise ConnectionResetError("the client left in the middle")
        head += piece
    return head
