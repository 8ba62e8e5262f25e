"""How one request went, as a value: for its usage, its headers, the metrics and the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from remoe_functions.gateway.account import Account
from remoe_planner.bill import Bill


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One request, all its choices together.

    Attributes:
        functions_forecast: functions its prompt was forecast to need; None without a forecast.
        functions_woken: functions that slept when it came and were woken while it ran.
        resumed: times an answer was carried over main's death.
        forecast: what the forecast rested on, how far off it was expected to be and was; None
            without one.
    """

    prompt_tokens: int
    completion_tokens: int
    account: Account
    bill: Bill
    ttft_seconds: float | None
    held_seconds: float
    elapsed_seconds: float
    seconds_per_token: float | None
    functions_forecast: tuple[str, ...] | None
    functions_woken: tuple[str, ...]
    resumed: int
    forecast: Mapping[str, Any] | None = None

    @property
    def usage(self) -> dict[str, Any]:
        """OpenAI's usage, and Remoe's own account beside it."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "remoe": self._own,
        }

    @property
    def headers(self) -> dict[str, str]:
        """What the request cost, for clients that read no usage."""
        return {
            "x-remoe-cost": _decimal(self.bill.cost),
            "x-remoe-currency": self.bill.currency,
            "x-remoe-main-gib-seconds": _decimal(self.bill.main_gib_seconds),
            "x-remoe-function-gib-seconds": _decimal(self.bill.function_gib_seconds),
        }

    @property
    def _own(self) -> dict[str, Any]:
        account = self.account
        return {
            "cost": self.bill.cost,
            "currency": self.bill.currency,
            "main_gib_seconds": self.bill.main_gib_seconds,
            "function_gib_seconds": self.bill.function_gib_seconds,
            "complete": account.complete,
            "functions_woken": list(self.functions_woken),
            "functions_forecast": list(self.functions_forecast or ()),
            "forecast": None if self.forecast is None else dict(self.forecast),
            "functions": {name: dict(use) for name, use in account.functions.items()},
            "placements": dict(account.placements),
            "layers": [list(layer) for layer in account.layers],
            "ttft_seconds": self.ttft_seconds,
            "held_seconds": self.held_seconds,
            "queue_seconds": account.queue_seconds,
            "resumed": self.resumed,
        }


def _decimal(value: float) -> str:
    """Never in exponent notation, which not every reader of a header knows."""
    return f"{value:.12f}".rstrip("0").rstrip(".") or "0"
