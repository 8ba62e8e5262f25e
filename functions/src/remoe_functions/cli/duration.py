"""Durations as people write them: `2s`, `100ms`, `1.5m`."""

from __future__ import annotations

import math
import re

from typer import BadParameter

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_FORM = re.compile(r"\s*([0-9.eE+-]+?)\s*(us|ms|s|m|h)\s*")


def duration(text: str) -> float:
    """Seconds in a duration.

    Raises:
        BadParameter: the text is none, or not above zero; says what is allowed.
    """
    match = _FORM.fullmatch(text)
    try:
        seconds = float(match[1]) * _SECONDS[match[2]] if match else math.nan
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise BadParameter(f"{text!r} is no duration above zero, such as 2s, 100ms or 1.5m")
    return seconds


def written(seconds: float) -> str:
    """A duration for people, to three digits: `1.25 s`, `43.1 ms`, `910 µs`."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs" if seconds else "0 s"
