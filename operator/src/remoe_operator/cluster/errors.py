"""What can go wrong between the operator and the API server, in words a user can act on.

ClusterError
├── NotFound        the object is not there
├── Conflict        it changed, or exists already
├── Forbidden       a right is missing; names it
├── QuotaExceeded   the namespace may hold no more
├── Terminating     the namespace, or an older object of the name, is on its way out
├── NameTaken       an object of the name is somebody else's
├── Refused         the API server does not accept what it was sent
└── Unreachable     no answer, or not now
"""

from __future__ import annotations

import json
import re
from typing import ClassVar


class ClusterError(Exception):
    """The API server did not do what it was asked; the text says why.

    Attributes:
        reason: one CamelCase word, as in conditions.
        lasting: whether asking again soon is of no use.
    """

    reason: ClassVar[str] = "ClusterError"
    lasting: ClassVar[bool] = False


class NotFoundError(ClusterError):
    """The object is not there."""

    reason = "NotFound"


class ConflictError(ClusterError):
    """The object changed meanwhile, or exists already."""

    reason = "Conflict"


class ForbiddenError(ClusterError):
    """The operator lacks a right."""

    reason = "Forbidden"
    lasting = True


class QuotaExceededError(ClusterError):
    """A quota of the namespace is used up."""

    reason = "QuotaExceeded"
    lasting = True


class TerminatingError(ClusterError):
    """What the object would stand in, or an earlier one of its name, is being deleted."""

    reason = "Terminating"


class NameTakenError(ClusterError):
    """An object of this name is there and belongs to somebody else."""

    reason = "NameTaken"
    lasting = True


class RefusedError(ClusterError):
    """The API server finds the object invalid."""

    reason = "Refused"
    lasting = True


class UnreachableError(ClusterError):
    """The API server gave no answer, or cannot answer now."""

    reason = "ApiServerUnreachable"


_MISSING_RIGHT = re.compile(
    r'User "(?P<user>[^"]+)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)" '
    r'in API group "(?P<group>[^"]*)"(?: in the namespace "(?P<namespace>[^"]+)")?'
)


def translated(status: int, body: str | bytes | None, asked: str) -> ClusterError:
    """The error for an answer of the API server.

    Args:
        status: HTTP status.
        body: a `Status` object as JSON, or whatever came.
        asked: what was asked, such as `PATCH /api/v1/...`.
    """
    message = _message(body) or f"{asked} was answered with status {status}"
    if status == 403:
        return _forbidden(message)
    if status in (404, 410):
        return NotFoundError(message)
    if status == 409:
        return ConflictError(message)
    if status in (400, 405, 415, 422):
        return RefusedError(message)
    return UnreachableError(f"the API server cannot answer now: {message}")


def _message(body: str | bytes | None) -> str:
    try:
        said = json.loads(body or "{}")
    except ValueError:
        return ""
    return str(said.get("message") or "") if isinstance(said, dict) else ""


def _forbidden(message: str) -> ClusterError:
    if "exceeded quota" in message:
        return QuotaExceededError(message)
    if "being terminated" in message:
        return TerminatingError(message)
    right = _MISSING_RIGHT.search(message)
    if right is None:
        return ForbiddenError(message)
    group = f".{right['group']}" if right["group"] else ""
    where = f" in namespace {right['namespace']}" if right["namespace"] else ""
    return ForbiddenError(
        f"{right['user']} lacks the right to {right['verb']} {right['resource']}{group}{where}"
    )
