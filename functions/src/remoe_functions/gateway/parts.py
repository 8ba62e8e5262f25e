"""A service's parts as last seen: one watch on its runtime, shared by everybody who asks.

What was seen stays while the runtime cannot be reached: those awake go on to be served.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import aclosing

from remoe_functions.runtime.errors import PartError
from remoe_functions.runtime.runtime import Runtime
from remoe_functions.runtime.state import PartStatus, Snapshot

_logger = logging.getLogger(__name__)
_PAUSE_SECONDS = 0.5
# What goes wrong in the same way again is told so often.
_TELL_SECONDS = 60.0


class PartsView:
    """Keeps the runtime's latest snapshot. Belongs to one event loop."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._latest: Snapshot | None = None
        self._changed = asyncio.Event()
        self._listeners: list[Callable[[Snapshot], None]] = []
        self._told: tuple[str, float] = ("", float("-inf"))

    @property
    def latest(self) -> Snapshot | None:
        """The last snapshot; None before the first."""
        return self._latest

    @property
    def parts(self) -> Mapping[str, PartStatus]:
        return {} if self._latest is None else self._latest.parts

    def listen(self, listener: Callable[[Snapshot], None]) -> None:
        """Have every snapshot from now on told to `listener`, which must not fail."""
        self._listeners.append(listener)

    async def wait_change(self, timeout_seconds: float) -> bool:
        """Wait for the next snapshot; False where none came in time."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Watch until cancelled; a runtime that fails is watched again after a pause."""
        while True:
            try:
                await self._watch()
            except PartError as error:
                self._tell(str(error))
            except Exception:
                _logger.exception("the watch on the runtime failed")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _watch(self) -> None:
        async with aclosing(self._runtime.watch()) as snapshots:
            async for snapshot in snapshots:
                self._latest = snapshot
                for listener in self._listeners:
                    listener(snapshot)
                changed, self._changed = self._changed, asyncio.Event()
                changed.set()

    def _tell(self, trouble: str) -> None:
        now = asyncio.get_running_loop().time()
        last, at = self._told
        if trouble != last or now - at > _TELL_SECONDS:
            self._told = trouble, now
            _logger.warning("cannot watch the runtime: %s", trouble)
