"""Moments as the API server writes them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_TOLERANCE_SECONDS = 60.0


def written(moment: datetime) -> str:
    """Such as `2026-01-31T12:00:00Z`."""
    return moment.astimezone(UTC).strftime(_FORMAT)


def read(text: str | None) -> datetime | None:
    """The moment that a text says, or None where it says none."""
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def seconds_since(text: str | None, now: datetime) -> float | None:
    """Seconds from a written moment to now; endless where that moment is yet to come.

    A clock that was set back must make nobody wait for the moment to come again.
    """
    moment = read(text)
    if moment is None:
        return None
    seconds = (now - moment).total_seconds()
    return seconds if seconds > -_TOLERANCE_SECONDS else math.inf
