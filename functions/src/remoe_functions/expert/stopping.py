"""The wish, from outside, that this process end. What ending takes is told in `process`."""

from __future__ import annotations

import os
import signal
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignal:
    """Becomes true at the first SIGTERM or SIGINT; made and waited for on the main thread.

    The system may hand a signal to any thread, and then the main thread, which alone runs Python's
    handlers, sleeps on. So it sleeps on a pipe into which the signal itself writes, whichever
    thread gets it. (A `threading.Event` set by a handler may also wait for a lock that the
    interrupted main thread holds.)
    """

    def __init__(self) -> None:
        self._given = False
        self._read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, self._stop)

    @property
    def is_given(self) -> bool:
        """Whether the process should end."""
        return self._given

    def wait(self) -> None:
        """Return once the signal was given."""
        while not self._given:
            os.read(self._read_end, 1)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._given = True
