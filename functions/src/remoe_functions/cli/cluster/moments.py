"""How long ago something was, as people say it."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60))


def ago(written: str | datetime | None, now: datetime | None = None) -> str:
    """The time since, in its largest unit, such as 3m; a question mark where it is not known.

    Args:
        written: RFC 3339, or a moment.
        now: the present; by default the clock's.
    """
    moment = _moment(written)
    if moment is None:
        return "?"
    seconds = max(0, int(((now or datetime.now(UTC)) - moment).total_seconds()))
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _moment(written: str | datetime | None) -> datetime | None:
    if not isinstance(written, str):
        return written
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
