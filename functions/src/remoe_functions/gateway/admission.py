"""How many choices may be under way at once, over all models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from remoe_functions.gateway.errors import Overloaded


class Admission:
    """Counts choices from their admission to their end. Belongs to one event loop."""

    def __init__(self, max_running: int) -> None:
        if max_running < 1:
            raise ValueError(f"max_running must be >= 1, got {max_running}")
        self._max_running = max_running
        self._running = 0

    @property
    def running(self) -> int:
        return self._running

    @contextmanager
    def admit(self, choices: int) -> Iterator[None]:
        """Let a request of so many choices in.

        Raises:
            Overloaded: there is no room for all of them.
        """
        if self._running + choices > self._max_running:
            raise Overloaded(f"{self._running} of {self._max_running} places are taken")
        self._running += choices
        try:
            yield
        finally:
            self._running -= choices
