"""How old a call is when it is read.

A call's budget runs from when it was sent, but a call sent behind another lies in socket buffers
until that one is answered, and its two ends do not share a clock.
"""

from __future__ import annotations

import math

_DRIFT = 1e-3  # clocks part by less than this, second for second
_WAITED_SECONDS = 1e-3


class CallAges:
    """Ages of the calls of one connection.

    The least difference seen between the two clocks stands for a call that did not lie about. A
    call is never older than the time since the server last waited for one: then nothing lay there.
    """

    def __init__(self) -> None:
        self._least_apart_seconds = math.inf
        self._last_read_at = 0.0
        self._waited_at = -math.inf

    def age_seconds(self, *, sent_at: float, wait_began_at: float, read_at: float) -> float:
        """Age of a call that the sender's clock sent at `sent_at`, by the reader's clock."""
        if read_at - wait_began_at > _WAITED_SECONDS:
            self._waited_at = read_at
        apart = read_at - sent_at
        drifted = self._least_apart_seconds + (read_at - self._last_read_at) * _DRIFT
        self._least_apart_seconds = min(apart, drifted)
        self._last_read_at = read_at
        return min(apart - self._least_apart_seconds, read_at - self._waited_at)
