"""Waking forecast functions beside the request, never in its way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from remoe_functions.gateway.metrics import ModelMetrics
from remoe_functions.gateway.parts import PartsView
from remoe_functions.runtime.errors import PartError
from remoe_functions.runtime.runtime import Runtime

_logger = logging.getLogger(__name__)
_WAKES_AT_ONCE = 16


class FunctionWaker:
    """Wakes sleeping functions in the background, each once at a time."""

    def __init__(self, *, runtime: Runtime, parts: PartsView, metrics: ModelMetrics) -> None:
        self._runtime = runtime
        self._parts = parts
        self._metrics = metrics
        self._slots = asyncio.Semaphore(_WAKES_AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def begin(self, names: Iterable[str]) -> tuple[str, ...]:
        """Start waking those that sleep; returns their names at once."""
        asleep = tuple(name for name in names if self._sleeps(name))
        for name in asleep:
            self._metrics.woken(name)
            task = asyncio.create_task(self._wake(name), name=f"wake {name}")
            self._tasks[name] = task
        return asleep

    def _sleeps(self, name: str) -> bool:
        part = self._parts.parts.get(name)
        return name not in self._tasks and part is not None and part.desired == 0

    async def _wake(self, name: str) -> None:
        try:
            async with self._slots:
                await self._runtime.wake(name)
        except PartError as error:
            _logger.warning("cannot wake %s: %s", name, error)
        finally:
            del self._tasks[name]
