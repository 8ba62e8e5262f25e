"""The two services beside each other: what one costs and how it answers, against the other."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from remoe_functions.cli.demonstration.measure import Measured
from remoe_functions.cli.demonstration.script import all_prompts
from remoe_planner.bill import Bill, bill
from remoe_planner.memory import GIB
from remoe_planner.plan import Plan
from remoe_planner.prices import Prices

_HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One service: its plan, and what was measured of it."""

    plan: Plan
    measured: Measured
    prices: Prices

    @property
    def window(self) -> Bill:
        """The bill of everything awake in the window, idle or not (measured)."""
        return bill(self.measured.window_usage, self.plan, self.prices)

    @property
    def idle_hour_cost(self) -> float:
        """An hour with the main model awake and every function asleep (computed)."""
        gib = self.plan.main_memory_bytes / GIB
        return _HOUR_SECONDS * gib * self.prices.main_gib_second


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The same prompts on the planned service and on one with every expert resident."""

    planned: Side
    resident: Side

    @property
    def same_answers(self) -> int:
        """Prompts that both answered with the same text."""
        pairs = zip(self.planned.measured.answers, self.resident.measured.answers, strict=True)
        return sum(one.text == other.text for one, other in pairs)

    def to_dict(self) -> dict[str, Any]:
        """Everything measured, as plain JSON-able values."""
        return {
            "prompts": list(all_prompts()),
            "sameAnswers": self.same_answers,
            "planned": _as_dict(self.planned),
            "resident": _as_dict(self.resident),
        }


def _as_dict(side: Side) -> dict[str, Any]:
    window = side.window
    return {
        "remoteShare": side.plan.remote_share,
        "measured": asdict(side.measured),
        "requestCost": side.measured.request_cost,
        "windowGibSeconds": window.gib_seconds,
        "windowCost": window.cost,
        "idleHourCost": side.idle_hour_cost,
        "currency": window.currency,
    }
