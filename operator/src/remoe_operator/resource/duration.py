"""Durations as the resource writes them, `1m30s`, in seconds and back.

By hand because no package on the index reads what CEL and Go read: theirs take weeks, signs or
blanks as well, and two readings of one field are worse than ten lines.
"""

from __future__ import annotations

import re

_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")


def seconds_of(text: str) -> float:
    """Seconds in a duration.

    Raises:
        ValueError: it is none; says what is allowed.
    """
    parts = list(_PART.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        raise ValueError(f"{text!r} is no duration, such as 300ms, 2s or 1m30s")
    return sum(float(part[1]) * _SECONDS[part[2]] for part in parts)


def duration_of(seconds: float) -> str:
    """A duration for people, to three digits: `1.25s`, `43.1ms`, `12m`."""
    if seconds >= 600:
        return f"{seconds / 60:.0f}m"
    if seconds >= 1:
        return f"{seconds:.3g}s"
    return f"{1e3 * seconds:.3g}ms"
