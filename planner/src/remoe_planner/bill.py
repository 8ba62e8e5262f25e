"""What was used, times what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from remoe_planner.memory import GIB
from remoe_planner.plan import Plan
from remoe_planner.prices import Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionUse:
    """What was asked of one function: its calls and the replica-seconds they are billed for."""

    seconds: float
    calls: int = 0

    def __post_init__(self) -> None:
        if self.seconds < 0 or self.calls < 0:
            raise ValueError(f"seconds and calls must be >= 0, got {self.seconds} and {self.calls}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a request, or a stretch of time, used of a plan's parts.

    Busy seconds for the bill of one request; seconds awake, idle ones included, for the bill of
    a stretch of time.

    Attributes:
        main_seconds: seconds of the main model.
        functions: use of each function, by name.
    """

    main_seconds: float
    functions: Mapping[str, FunctionUse] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.main_seconds < 0:
            raise ValueError(f"main_seconds must be >= 0, got {self.main_seconds}")

    @classmethod
    def from_mapping(cls, usage: Mapping[str, Any]) -> Usage:
        """The main model's own account of a request, as its answer carries it.

        Raises:
            ValueError: a field is missing or no number.
        """
        try:
            return cls(
                main_seconds=float(usage["main_seconds"]),
                functions={
                    name: FunctionUse(seconds=float(use["busy_seconds"]), calls=int(use["calls"]))
                    for name, use in usage.get("functions", {}).items()
                },
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an account of a request: {error!r}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Memory-seconds and their cost, part by part."""

    main_gib_seconds: float = 0.0
    gpu_gib_seconds: float = 0.0
    function_gib_seconds: float = 0.0
    calls: int = 0
    main_cost: float = 0.0
    function_cost: float = 0.0
    call_cost: float = 0.0
    currency: str = "USD"

    @property
    def gib_seconds(self) -> float:
        return self.main_gib_seconds + self.gpu_gib_seconds + self.function_gib_seconds

    @property
    def cost(self) -> float:
        """Everything, in the bill's currency."""
        return self.main_cost + self.function_cost + self.call_cost

    def __add__(self, other: Bill) -> Bill:
        if self.currency != other.currency:
            raise ValueError(f"bills in {self.currency} and {other.currency} do not add up")
        return Bill(
            main_gib_seconds=self.main_gib_seconds + other.main_gib_seconds,
            gpu_gib_seconds=self.gpu_gib_seconds + other.gpu_gib_seconds,
            function_gib_seconds=self.function_gib_seconds + other.function_gib_seconds,
            calls=self.calls + other.calls,
            main_cost=self.main_cost + other.main_cost,
            function_cost=self.function_cost + other.function_cost,
            call_cost=self.call_cost + other.call_cost,
            currency=self.currency,
        )


def bill(usage: Usage, plan: Plan, prices: Prices) -> Bill:
    """The cost of a usage under a plan: seconds x memory x price, and a price per call.

    The paper's eqs. 6, 8 and 9, with the price per call that it leaves out. For the same request
    with every expert resident, bill its measured seconds under `plan_resident`.

    Raises:
        ValueError: the usage names a function that the plan has not.
    """
    memory = {function.name: function.memory_bytes for function in plan.functions}
    if strangers := sorted(set(usage.functions) - set(memory)):
        raise ValueError(f"the plan has no function {', '.join(strangers)}")
    main = usage.main_seconds * plan.main_memory_bytes / GIB
    gpu = usage.main_seconds * plan.main_gpu_bytes / GIB
    functions = sum(use.seconds * memory[name] / GIB for name, use in usage.functions.items())
    calls = sum(use.calls for use in usage.functions.values())
    return Bill(
        main_gib_seconds=main,
        gpu_gib_seconds=gpu,
        function_gib_seconds=functions,
        calls=calls,
        main_cost=main * prices.main_gib_second + gpu * prices.gpu_gib_second,
        function_cost=functions * prices.function_gib_second,
        call_cost=calls * prices.call,
        currency=prices.currency,
    )
