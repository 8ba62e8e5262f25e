"""What can go wrong between a part and its runtime, in words for people.

    PartError                 anything a `Runtime` can raise
    ├── RuntimeUnavailable    the runtime cannot be reached just now; trying again may help
    ├── UnknownPart           no part of that name
    ├── ScaleOutOfBounds      the part may not have that many replicas
    └── PartNotReady          no replica became ready in time; carries the part's last failure

Errors of the transport (httpx, sockets) never pass this point.
"""

# ruff: noqa: N818  (the names say what happened, as in httpx)

from __future__ import annotations


class PartError(Exception):
    """Anything a `Runtime` can raise."""


class RuntimeUnavailable(PartError):
    """The runtime did not answer, or answered nonsense."""


class UnknownPart(PartError):
    """The runtime has no part of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the runtime has no part named {name!r}")
        self.name = name


class ScaleOutOfBounds(PartError):
    """The number of replicas asked for is not allowed."""


class PartNotReady(PartError):
    """No replica of a part became ready.

    Attributes:
        name: the part.
        last_failure: why its last replica died, where one did.
    """

    def __init__(self, name: str, reason: str, last_failure: str | None = None) -> None:
        detail = f"; last failure: {last_failure}" if last_failure else ""
        super().__init__(f"part {name!r} is not ready: {reason}{detail}")
        self.name = name
        self.last_failure = last_failure
