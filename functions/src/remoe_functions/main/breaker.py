"""Which replicas are left alone for now because calls to them failed.

Without it a dead function would cost a timeout at every layer of every token.
"""

from __future__ import annotations

from dataclasses import dataclass

from remoe_functions.main.directory import Endpoint

_MAX_DOUBLINGS = 30


@dataclass(slots=True)
class _Trouble:
    failures: int
    rests_until: float


class Breaker:
    """Rests that double with every failure in a row and end with a success."""

    def __init__(self, *, first_rest_seconds: float, max_rest_seconds: float) -> None:
        self._first_rest_seconds = first_rest_seconds
        self._max_rest_seconds = max_rest_seconds
        self._troubles: dict[Endpoint, _Trouble] = {}

    def allows(self, endpoint: Endpoint, now: float) -> bool:
        """Whether a call may be tried; `now` is in seconds on the caller's clock."""
        trouble = self._troubles.get(endpoint)
        return trouble is None or now >= trouble.rests_until

    def failed(self, endpoint: Endpoint, now: float) -> None:
        """Note a failure: the replica rests."""
        trouble = self._troubles.setdefault(endpoint, _Trouble(0, now))
        rest = self._first_rest_seconds * 2.0 ** min(trouble.failures, _MAX_DOUBLINGS)
        trouble.failures += 1
        trouble.rests_until = now + min(rest, self._max_rest_seconds)

    def succeeded(self, endpoint: Endpoint) -> None:
        """Note a success: earlier failures are forgotten."""
        self._troubles.pop(endpoint, None)
