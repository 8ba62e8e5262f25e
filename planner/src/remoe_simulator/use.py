"""What passes used of the main model and the functions, and what it costs (eqs. 6 to 9)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from remoe_planner.bill import Bill
from remoe_planner.memory import GIB
from remoe_planner.plan import Plan
from remoe_planner.prices import Prices


@dataclass(slots=True)
class Use:
    """An amount of it.

    Attributes:
        main_seconds: of passes.
        function_gib_seconds: of functions' own time, by memory.
        calls: of functions.
    """

    main_seconds: float = 0.0
    function_gib_seconds: float = 0.0
    calls: int = 0

    def add(self, other: Use) -> None:
        """Add another amount to this one."""
        self.main_seconds += other.main_seconds
        self.function_gib_seconds += other.function_gib_seconds
        self.calls += other.calls

    def shares(self, count: int) -> Iterator[Use]:
        """Even parts; calls that do not divide go to the first."""
        if count == 1:
            yield self
            return
        each, left = divmod(self.calls, count)
        for place in range(count):
            yield Use(
                self.main_seconds / count, self.function_gib_seconds / count, each + (place < left)
            )

    def bill(self, plan: Plan, prices: Prices) -> Bill:
        """Its cost where only work is paid for."""
        return billed(
            prices,
            main_gib_seconds=self.main_seconds * plan.main_memory_bytes / GIB,
            gpu_gib_seconds=self.main_seconds * plan.main_gpu_bytes / GIB,
            function_gib_seconds=self.function_gib_seconds,
            calls=self.calls,
        )


def billed(
    prices: Prices,
    *,
    main_gib_seconds: float,
    gpu_gib_seconds: float,
    function_gib_seconds: float,
    calls: int,
) -> Bill:
    """Memory-seconds and calls by a price list."""
    main = main_gib_seconds * prices.main_gib_second + gpu_gib_seconds * prices.gpu_gib_second
    return Bill(
        main_gib_seconds=main_gib_seconds,
        gpu_gib_seconds=gpu_gib_seconds,
        function_gib_seconds=function_gib_seconds,
        calls=calls,
        main_cost=main,
        function_cost=function_gib_seconds * prices.function_gib_second,
        call_cost=calls * prices.call,
        currency=prices.currency,
    )
