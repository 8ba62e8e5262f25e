"""Where a forward pass's time goes. Only the engine's thread writes; anybody may read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum


class Part(StrEnum):
    """What the engine was doing; REST is everything not named (attention, gates, Python)."""

    LOCAL_EXPERTS = "local_experts"
    WIRE = "wire"
    WAITING = "waiting"
    SAMPLING = "sampling"
    REST = "rest"


class StepTimer:
    """Seconds by part, summed over all steps."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(Part, 0.0)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Time a whole forward pass; what no part claimed is REST."""
        before = sum(self.seconds.values())
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[Part.REST] += elapsed - (sum(self.seconds.values()) - before)

    def add(self, part: Part, since: float) -> float:
        """Give the time since `since` (of `time.perf_counter`) to a part; returns now."""
        now = time.perf_counter()
        self.seconds[part] += now - since
        return now

    def give(self, part: Part, seconds: float) -> None:
        """Give a part time that was measured elsewhere."""
        self.seconds[part] += seconds
