"""The service's own account of an answer: where experts ran, what woke, what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What came in the `remoe` field of an answer's usage.

    Attributes:
        cost: in `currency`; the seconds it was worked on, times memory, times the price.
        main_gib_seconds: of the main model.
        function_gib_seconds: of the expert functions.
        local: token-expert assignments that ran in the main model.
        remote: those that ran in functions.
        fallback: those meant for functions that the main model computed after all.
        layers: the same three per MoE layer.
        functions: functions that computed something, with their calls.
        woken: functions that this request woke.
        forecast: functions that its prompt was forecast to need.
    """

    cost: float
    currency: str
    main_gib_seconds: float
    function_gib_seconds: float
    local: int
    remote: int
    fallback: int
    layers: tuple[tuple[int, int, int], ...]
    functions: Mapping[str, int]
    woken: tuple[str, ...]
    forecast: tuple[str, ...]

    @classmethod
    def read(cls, body: Mapping[str, Any] | None) -> Self | None:
        """Read the field; None where it is missing or of another form (another service)."""
        try:
            return None if body is None else cls._of(body)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    @classmethod
    def _of(cls, body: Mapping[str, Any]) -> Self:
        placements = body["placements"]
        return cls(
            cost=float(body["cost"]),
            currency=str(body["currency"]),
            main_gib_seconds=float(body["main_gib_seconds"]),
            function_gib_seconds=float(body["function_gib_seconds"]),
            local=int(placements["local"]),
            remote=int(placements["remote"]),
            fallback=int(placements["fallback"]),
            layers=tuple((int(a), int(b), int(c)) for a, b, c in body["layers"]),
            functions={name: int(use["calls"]) for name, use in body["functions"].items()},
            woken=tuple(body["functions_woken"]),
            forecast=tuple(body["functions_forecast"]),
        )

    @property
    def assignments(self) -> int:
        return self.local + self.remote + self.fallback

    @property
    def gib_seconds(self) -> float:
        return self.main_gib_seconds + self.function_gib_seconds

    def share(self, count: int) -> float:
        """A count as a share of all assignments, 0 where there are none."""
        return count / self.assignments if self.assignments else 0.0
