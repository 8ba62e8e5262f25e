"""What the API server may answer that this package goes on from; the rest is `RuntimeUnavailable`.

RuntimeUnavailable        the API server cannot be reached, or does not do it
├── Expired               410: what was watched is too old, list anew
├── Conflict              409: somebody changed it meanwhile, look again
├── Missing               404: there is no such object
└── Rejected              422: the API server does not accept the value
"""

from __future__ import annotations

from remoe_functions.runtime.errors import RuntimeUnavailable


class Expired(RuntimeUnavailable):
    """The changes since then are no longer known."""


class Conflict(RuntimeUnavailable):
    """The object is another than the one that was to be changed."""


class Missing(RuntimeUnavailable):
    """There is no such object."""


class Rejected(RuntimeUnavailable):
    """The value is not accepted."""


_ERRORS: dict[int, type[RuntimeUnavailable]] = {
    404: Missing,
    409: Conflict,
    410: Expired,
    422: Rejected,
}


def error_of(status: int, message: str) -> RuntimeUnavailable:
    """The error that a status code stands for."""
    kind = _ERRORS.get(status, RuntimeUnavailable)
    return kind(f"the API server answered {status}: {message}")
