"""When this process was born, where no supervisor tells it. Imported at every cold start."""

from __future__ import annotations

import os
import time
from pathlib import Path

_START_TICKS = 19  # field 22 of /proc/PID/stat, counted after the name
_LONGEST_START_SECONDS = 600.0


def born_at() -> float | None:
    """When the kernel started this process, on `time.monotonic`'s clock; None where unknown."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[_START_TICKS]) / os.sysconf("SC_CLK_TCK")
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except (OSError, ValueError, IndexError, AttributeError):
        return None
    return time.monotonic() - age if 0 <= age < _LONGEST_START_SECONDS else None
