"""What can go wrong on the wire, as the caller sees it.

    WireError
    ├── ConnectionLost   the other end cannot be reached, or is gone; calls in flight are lost
    ├── CallTimedOut     no answer within the caller's bound
    ├── CallRefused      the other end answered that it will not compute (code, message)
    └── ProtocolError    the other end does not speak this protocol

Programming errors (an id used twice, a wrong shape) are ValueErrors and not in this tree.
"""

from __future__ import annotations

from remoe_functions.wire.message import RefusalCode


class WireError(Exception):
    """Anything that keeps a call from being answered."""


class ConnectionLost(WireError):  # noqa: N818 (an event, named as one)
    """The connection could not be made, or it broke: refused, reset, closed, half an answer."""


class CallTimedOut(WireError):  # noqa: N818
    """No answer came within the caller's bound."""


class CallRefused(WireError):  # noqa: N818
    """The call (or the connection) was refused with a reason.

    A server's handler raises it to refuse a call with a code of its choice.
    """

    def __init__(self, code: RefusalCode, message: str) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message


class ProtocolError(WireError):
    """Bytes that are no frame of this protocol; `code` is what its sender is told."""

    def __init__(
        self, message: str, *, code: RefusalCode = RefusalCode.BAD_REQUEST, call_id: int = 0
    ) -> None:
        super().__init__(message)
        self.code = code
        self.call_id = call_id
