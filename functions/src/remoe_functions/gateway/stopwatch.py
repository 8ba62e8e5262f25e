"""When things happened to one request. The clock is an argument; counting is not done here."""

from __future__ import annotations

import time
from collections.abc import Callable


class Stopwatch:
    """Seconds since a request arrived.

    Attributes:
        ttft_seconds: when its first token came; None before.
        held_seconds: how long it waited for the model to wake.
        tokens: tokens so far, over all choices.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._arrived_at = clock()
        self.ttft_seconds: float | None = None
        self.held_seconds = 0.0
        self.tokens = 0

    @property
    def elapsed_seconds(self) -> float:
        return self._clock() - self._arrived_at

    @property
    def seconds_per_token(self) -> float | None:
        """Mean time of a token after the first; None before there are two."""
        if self.ttft_seconds is None or self.tokens < 2:
            return None
        return (self.elapsed_seconds - self.ttft_seconds) / (self.tokens - 1)

    def held(self) -> None:
        """The model is ready: the wait, if any, is over."""
        self.held_seconds = self.elapsed_seconds

    def token(self) -> float:
        """Note a token; returns now, in seconds since arrival."""
        now = self.elapsed_seconds
        self.tokens += 1
        if self.ttft_seconds is None:
            self.ttft_seconds = now
        return now
