"""Whether a plan keeps what is promised, and by how much it misses it where it does not."""

from __future__ import annotations

from dataclasses import dataclass

from remoe_planner.demand.slo import Slo
from remoe_planner.estimate import Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """A constraint that the plan does not keep.

    Attributes:
        constraint: which, as a user knows it.
        promised: its bound, in seconds or bytes.
        had: the best that can be had, in the same unit.
        sentence: the same in words.
    """

    constraint: str
    promised: float
    had: float
    sentence: str


def excess(estimate: Estimate, slo: Slo) -> float:
    """By which factor the worst missed promise is missed; at most 1 where all are kept."""
    return max((had / bound for _, bound, had in _promises(estimate, slo)), default=0.0)


def keeps(estimate: Estimate, slo: Slo) -> bool:
    """Whether every promise is kept."""
    return excess(estimate, slo) <= 1


def shortfalls(estimate: Estimate, slo: Slo) -> tuple[Shortfall, ...]:
    """What the best-latency plan misses."""
    return tuple(
        Shortfall(
            constraint=name,
            promised=bound,
            had=had,
            sentence=(
                f"{name} of {_seconds(bound)} cannot be promised at the "
                f"{100 * slo.percentile:g}th percentile: the best is {_seconds(had)}, "
                f"{_seconds(had - bound)} ({100 * (had / bound - 1):.0f} %) more."
            ),
        )
        for name, bound, had in _promises(estimate, slo)
        if had > bound
    )


def _promises(estimate: Estimate, slo: Slo) -> tuple[tuple[str, float, float], ...]:
    latency = estimate.latency
    asked = (
        ("TTFT", slo.ttft_seconds, latency.ttft_at_percentile_seconds),
        ("TPOT", slo.tpot_seconds, latency.tpot_at_percentile_seconds),
    )
    return tuple((name, bound, had) for name, bound, had in asked if bound is not None)


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{1e3 * value:.1f} ms"
