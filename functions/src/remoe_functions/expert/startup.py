"""The phases of a start, the first of which begins when this process was born."""

from __future__ import annotations

import os
import time
from pathlib import Path

from remoe_functions.runtime.tether import Tether

PROCESS, MAP, IMPORTS, FIRST_TOUCH, READY = "process", "map", "imports", "first_touch", "ready"
CANNOT_START = 2
_START_TICKS = 19  # field 22 of /proc/PID/stat, counted after the name
_LONGEST_START_SECONDS = 600.0


def begin(tether: Tether) -> Tether:
    """Mark the phase from the process's birth until now.

    A supervisor tells when it spawned the process; without one the kernel is asked.
    """
    if not tether.attached:
        tether = Tether(None, spawned_at=born_at())
    tether.phase(PROCESS)
    return tether


def born_at() -> float | None:
    """When the kernel started this process, on `time.monotonic`'s clock; None where unknown."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[_START_TICKS]) / os.sysconf("SC_CLK_TCK")
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - started
    except (OSError, ValueError, IndexError, AttributeError):
        return None
    return time.monotonic() - age if 0 <= age < _LONGEST_START_SECONDS else None
