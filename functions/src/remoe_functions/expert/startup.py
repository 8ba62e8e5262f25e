"""The phases of a start, the first of which begins when this process was born."""

from __future__ import annotations

from remoe_functions.runtime.tether import Tether

PROCESS, MAP, IMPORTS, FIRST_TOUCH, READY = "process", "map", "imports", "first_touch", "ready"
CANNOT_START = 2


def begin(tether: Tether) -> Tether:
    """Mark the phase from the process's birth until now."""
    tether.phase(PROCESS)
    return tether
