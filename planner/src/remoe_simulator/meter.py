"""What is awake, and what that costs by the second."""

from __future__ import annotations

from dataclasses import dataclass, field

from remoe_planner.bill import Bill
from remoe_planner.memory import GIB
from remoe_planner.plan import Plan
from remoe_planner.prices import Prices
from remoe_simulator.day import Standing
from remoe_simulator.use import billed


@dataclass(slots=True)
class _Held:
    """Memory that is held, and how long it was."""

    main: bool = False
    replicas: int = 0
    function_bytes: int = 0
    main_seconds: float = 0.0
    function_byte_seconds: float = 0.0

    def for_seconds(self, seconds: float) -> None:
        self.main_seconds += seconds * self.main
        self.function_byte_seconds += seconds * self.function_bytes

    def change(self, replicas: int, memory_bytes: int) -> None:
        self.replicas += replicas
        self.function_bytes += replicas * memory_bytes

    def bill(self, plan: Plan, prices: Prices, calls: int) -> Bill:
        return billed(
            prices,
            main_gib_seconds=self.main_seconds * plan.main_memory_bytes / GIB,
            gpu_gib_seconds=self.main_seconds * plan.main_gpu_bytes / GIB,
            function_gib_seconds=self.function_byte_seconds / GIB,
            calls=calls,
        )


@dataclass(slots=True, kw_only=True)
class Meter:
    """Seconds awake, from the begin of every start to its stop; moments never go back.

    Attributes:
        plan: the memory of its parts.
        timeline: every change so far.
        changed_seconds: when the latest was.
    """

    plan: Plan
    timeline: list[Standing] = field(default_factory=list)
    changed_seconds: float = 0.0
    _awake: _Held = field(default_factory=_Held)
    _starting: _Held = field(default_factory=_Held)

    def main_starts(self, at_seconds: float) -> None:
        """The main model begins to start."""
        self._until(at_seconds)
        self._awake.main = self._starting.main = True
        self._note(at_seconds)

    def main_is_ready(self, at_seconds: float) -> None:
        """It has started, or was there from the first."""
        self._until(at_seconds)
        self._awake.main, self._starting.main = True, False
        self._note(at_seconds)

    def main_stops(self, at_seconds: float) -> None:
        """It is no more."""
        self._until(at_seconds)
        self._awake.main = False
        self._note(at_seconds)

    def replicas_start(self, count: int, memory_bytes: int, at_seconds: float) -> None:
        """Replicas of a function begin to start."""
        self._until(at_seconds)
        self._awake.change(count, memory_bytes)
        self._starting.change(count, memory_bytes)
        self._note(at_seconds)

    def replicas_are_ready(self, count: int, memory_bytes: int, at_seconds: float) -> None:
        """They have started."""
        self._until(at_seconds)
        self._starting.change(-count, memory_bytes)

    def replicas_stop(self, count: int, memory_bytes: int, at_seconds: float) -> None:
        """They are no more."""
        self._until(at_seconds)
        self._awake.change(-count, memory_bytes)
        self._note(at_seconds)

    def close(self, at_seconds: float) -> None:
        """The day ends; what is awake then is paid for until then."""
        self._until(at_seconds)

    def awake(self, prices: Prices, *, calls: int) -> Bill:
        """Everything from start to stop."""
        return self._awake.bill(self.plan, prices, calls)

    def starting(self, prices: Prices) -> Bill:
        """Of it, what was not ready yet."""
        return self._starting.bill(self.plan, prices, 0)

    def _until(self, at_seconds: float) -> None:
        since = at_seconds - self.changed_seconds
        self._awake.for_seconds(since)
        self._starting.for_seconds(since)
        self.changed_seconds = at_seconds

    def _note(self, at_seconds: float) -> None:
        """Changes of one moment are one."""
        if self.timeline and self.timeline[-1].at_seconds == at_seconds:
            self.timeline.pop()
        awake = self._awake
        standing = Standing(
            at_seconds=at_seconds,
            main_awake=awake.main,
            functions_awake=awake.replicas,
            memory_bytes=awake.function_bytes
            + awake.main * (self.plan.main_memory_bytes + self.plan.main_gpu_bytes),
        )
        if not self.timeline or _differ(self.timeline[-1], standing):
            self.timeline.append(standing)


def _differ(before: Standing, after: Standing) -> bool:
    return (before.main_awake, before.functions_awake, before.memory_bytes) != (
        after.main_awake,
        after.functions_awake,
        after.memory_bytes,
    )
