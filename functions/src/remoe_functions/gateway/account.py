"""What one request took and cost: main's own accounts of its choices, summed and billed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from remoe_planner.bill import Bill, FunctionUse, Usage, bill
from remoe_planner.plan import Plan
from remoe_planner.prices import Prices

_logger = logging.getLogger(__name__)

PLACEMENTS = ("local", "remote", "fallback")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Sums over the choices of one request.

    Attributes:
        main_seconds: share of main's time.
        queue_seconds: the longest wait in main's queue.
        functions: calls, rows and busy seconds by function.
        placements: token-expert assignments by where they ran (local, remote, fallback).
        layers: the same per MoE layer, [local, remote, fallback].
        tokens: tokens of the answers, a final end token counted.
        complete: False where main died, or did not tell all of this in time.
    """

    main_seconds: float = 0.0
    queue_seconds: float = 0.0
    functions: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    placements: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(PLACEMENTS, 0))
    layers: tuple[tuple[int, ...], ...] = ()
    tokens: int = 0
    complete: bool = True

    @classmethod
    def of_choice(
        cls, usage: Mapping[str, Any] | None, *, wall_seconds: float, tokens: int
    ) -> Self:
        """Read main's account of a choice; without one, what the gateway saw stands for it.

        Wall time is an upper bound of main's: it may have served others in that time.
        """
        if usage is None:
            return cls(main_seconds=wall_seconds, tokens=tokens, complete=False)
        try:
            return cls(
                main_seconds=float(usage["main_seconds"]),
                queue_seconds=float(usage.get("queue_seconds", 0.0)),
                functions={n: _use(use) for n, use in usage.get("functions", {}).items()},
                tokens=int(usage["completion_tokens"]),
                placements={p: int(usage["placements"].get(p, 0)) for p in PLACEMENTS},
                layers=tuple(tuple(map(int, layer)) for layer in usage.get("layers", ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            _logger.warning("main's account of a request is not understood: %r", error)
            return cls(main_seconds=wall_seconds, tokens=tokens, complete=False)

    @classmethod
    def total(cls, accounts: Iterable[Account]) -> Account:
        """The sum of the choices' accounts."""
        total = Account()
        for account in accounts:
            total = total + account
        return total

    def __add__(self, other: Account) -> Account:
        return Account(
            main_seconds=self.main_seconds + other.main_seconds,
            queue_seconds=max(self.queue_seconds, other.queue_seconds),
            functions=_sum_by_name(self.functions, other.functions),
            placements={p: self.placements[p] + other.placements[p] for p in PLACEMENTS},
            layers=_sum_layers(self.layers, other.layers),
            tokens=self.tokens + other.tokens,
            complete=self.complete and other.complete,
        )

    @property
    def functions_used(self) -> frozenset[str]:
        """Functions that computed at least one row."""
        return frozenset(name for name, use in self.functions.items() if use.get("calls", 0) > 0)

    def bill(self, plan: Plan, prices: Prices) -> Bill:
        """What this costs under a plan; functions that the plan does not know are left out."""
        known = {function.name for function in plan.functions}
        functions = {
            # Calls made for several requests at once are shared out, so they are fractions.
            name: FunctionUse(seconds=use["busy_seconds"], calls=round(use["calls"]))
            for name, use in self.functions.items()
            if name in known
        }
        return bill(Usage(main_seconds=self.main_seconds, functions=functions), plan, prices)


def _use(use: Mapping[str, Any]) -> dict[str, float]:
    return {key: float(use[key]) for key in ("calls", "rows", "busy_seconds")}


def _sum_by_name(
    one: Mapping[str, Mapping[str, float]], other: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    return {
        name: {
            key: one.get(name, {}).get(key, 0) + other.get(name, {}).get(key, 0)
            for key in ("calls", "rows", "busy_seconds")
        }
        for name in {**one, **other}
    }


def _sum_layers(
    one: tuple[tuple[int, ...], ...], other: tuple[tuple[int, ...], ...]
) -> tuple[tuple[int, ...], ...]:
    if not one or not other:
        return one or other
    pairs = zip(one, other, strict=False)
    return tuple(tuple(a + b for a, b in zip(x, y, strict=False)) for x, y in pairs)
