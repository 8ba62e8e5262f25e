"""The end of the gateway's life: it is announced, then answers in flight get a budget and end.

Between the two it serves as ever, while those who send requests learn to send them elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from remoe_functions.gateway.errors import NotReady


class Drain:
    """Once begun, nothing new is taken and what runs has `budget_seconds` left."""

    def __init__(self, budget_seconds: float) -> None:
        if budget_seconds <= 0:
            raise ValueError(f"budget_seconds must be > 0, got {budget_seconds}")
        self._budget_seconds = budget_seconds
        self._leaving = False
        self._ends_at: float | None = None
        self._running: set[asyncio.Timeout] = set()

    @property
    def leaving(self) -> bool:
        """Whether the end was announced."""
        return self._leaving

    @property
    def begun(self) -> bool:
        return self._ends_at is not None

    @property
    def in_flight(self) -> int:
        return len(self._running)

    def announce(self) -> None:
        """Say that the end is near; everything is taken still."""
        self._leaving = True

    def begin(self) -> None:
        """Start draining; again does nothing."""
        self._leaving = True
        if self._ends_at is None:
            self._ends_at = asyncio.get_running_loop().time() + self._budget_seconds
            for timeout in self._running:
                timeout.reschedule(self._ends_at)

    @asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """Run something that must end when the budget does.

        Raises:
            NotReady: draining began before, or the budget ran out.
        """
        if self.begun:
            raise _going_away("takes no new requests")
        try:
            async with asyncio.timeout(None) as timeout:
                self._running.add(timeout)
                try:
                    yield
                finally:
                    self._running.discard(timeout)
        except TimeoutError:
            if not timeout.expired():
                raise
            raise _going_away("ended before the answer did") from None


def _going_away(what: str) -> NotReady:
    return NotReady(f"this gateway is shutting down and {what}", code="shutting_down")
