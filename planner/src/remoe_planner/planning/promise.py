"""Whether a plan keeps what is promised, and by how much it misses it where it does not."""

from __future__ import annotations

import math
from dataclasses import dataclass

from remoe_planner.demand.slo import Slo
from remoe_planner.estimate import Estimate, LoadEstimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """A constraint that the plan does not keep.

    Attributes:
        constraint: which, as a user knows it.
        promised: its bound, in seconds or bytes, or as a share of what can be done.
        had: the best that can be had, in the same unit.
        sentence: the same in words.
    """

    constraint: str
    promised: float
    had: float
    sentence: str


def excess(estimate: Estimate, slo: Slo) -> float:
    """By which factor the worst missed promise is missed; at most 1 where all are kept.

    Whoever is asked for more than he can do keeps nothing: that is missed by far.
    """
    if estimate.load is not None and estimate.load.overloaded:
        return OVERLOADED * estimate.load.worst_share
    return max((had / bound for _, bound, had in _promises(estimate, slo)), default=0.0)


def keeps(estimate: Estimate, slo: Slo) -> bool:
    """Whether every promise is kept, at the rate that is expected."""
    return excess(estimate, slo) <= 1


def shortfalls(estimate: Estimate, slo: Slo) -> tuple[Shortfall, ...]:
    """What the best-latency plan misses; where requests wait without end, that alone."""
    if estimate.load is not None and estimate.load.overloaded:
        return (_overload(estimate.load),)
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


def _overload(load: LoadEstimate) -> Shortfall:
    return Shortfall(
        constraint="load", promised=1.0, had=load.worst_share, sentence=f"{_asked(load)}."
    )


def _asked(load: LoadEstimate) -> str:
    per_hour = _HOUR * load.requests_per_second
    if load.share < load.function_share:
        return (
            f"A function is asked for {load.function_share:.2g} times what its replicas can do at "
            f"{per_hour:.4g} requests an hour: more replicas of functions are needed"
        )
    alone = load.most_replicas == 1
    models = "The main model is" if alone else f"{load.most_replicas} main models are"
    needed = math.floor(load.most_replicas * load.share) + 1
    return (
        f"{models} asked for {load.share:.3g} times what can be done: {per_hour:.4g} requests an "
        f"hour hold one {_seconds(load.hold_seconds)} each; at most "
        f"{_HOUR * load.most_requests_per_second:.4g} an hour, or {needed} main models"
    )


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{1e3 * value:.1f} ms"


OVERLOADED = 1e3
"""So much worse than any promise missed is a line that grows without end."""
_HOUR = 3600.0
