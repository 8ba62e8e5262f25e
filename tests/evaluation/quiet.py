"""How much of the machine others use: figures taken beside other work are worth less."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import psutil

QUIET_SHARE = 0.1


class Others:
    """Processor time of everybody but this process and its children, look by look."""

    def __init__(self) -> None:
        self._at, self._busy, self._own = time.monotonic(), _busy(), _own()

    def share(self) -> float:
        """Share of all cores that others had since the last look, 0 to 1."""
        at, busy, own = time.monotonic(), _busy(), _own()
        # Of children that ended meanwhile nothing is known any more; theirs counts as others'.
        ours = sum(max(spent - self._own.get(pid, 0.0), 0.0) for pid, spent in own.items())
        cores = psutil.cpu_count() or 1
        theirs = (busy - self._busy - ours) / max((at - self._at) * cores, 1e-9)
        self._at, self._busy, self._own = at, busy, own
        return min(max(theirs, 0.0), 1.0)


def wait_for_quiet(say: Callable[[str], None], *, bound_seconds: float) -> None:
    """Wait until others leave the machine alone for a while, or for the bound."""
    end, others, looked = time.monotonic() + bound_seconds, Others(), 0
    while looked < 5 and time.monotonic() < end:
        time.sleep(1.0)
        share = others.share()
        looked = looked + 1 if share < QUIET_SHARE else 0
        if not looked:
            say(f"waiting: others use {share:.0%} of the machine")


def _busy() -> float:
    """Seconds of work of all cores since the system began."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))


def _own() -> dict[int, float]:
    root, found = psutil.Process(), {}
    for process in (root, *root.children(recursive=True)):
        with suppress(psutil.Error):
            times = process.cpu_times()
            found[process.pid] = times.user + times.system
    return found
