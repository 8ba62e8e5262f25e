"""What can go wrong with a request, as its caller is told.

RequestError            a code and a message, and the HTTP status they travel with
├── InvalidRequest      400: a field is wrong
├── QueueFull           429: too many requests wait already
└── Draining            503: the process is going away
"""

from __future__ import annotations

from typing import ClassVar


class RequestError(Exception):
    """A request that is not served; the message is for the caller."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500


class InvalidRequest(RequestError):  # noqa: N818
    """A field of the request is wrong; the message names it."""

    code = "invalid_request"
    status = 400


class ContextTooLong(InvalidRequest):
    """Prompt and answer together do not fit the context."""

    code = "context_length_exceeded"


class QueueFull(RequestError):  # noqa: N818
    """As many requests wait as are allowed to."""

    code = "queue_full"
    status = 429


class Draining(RequestError):  # noqa: N818
    """The process finishes what runs and takes nothing new."""

    code = "draining"
    status = 503
