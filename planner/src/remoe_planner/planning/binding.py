"""Which constraints keep a plan from being cheaper."""

from __future__ import annotations

from remoe_planner.planning.outcome import Outcome
from remoe_planner.planning.problem import Problem

_NEAR = 0.97


def binding(problem: Problem, outcome: Outcome) -> tuple[str, ...]:
    """The constraints that the plan uses up, in words; empty where cost alone decided."""
    latency, slo = outcome.estimate.latency, problem.slo
    offerings, placed, load = problem.offerings, outcome.placed, outcome.estimate.load
    used = (
        ("TTFT", latency.ttft_at_percentile_seconds, slo.ttft_seconds),
        ("TPOT", latency.tpot_at_percentile_seconds, slo.tpot_seconds),
        ("load", load.worst_share if load else 0.0, 1.0),
        ("number of functions", float(placed.functions), float(offerings.max_functions)),
        (
            "main memory",
            float(placed.main_memory_bytes),
            float(offerings.main_memory.most_bytes),
        ),
        (
            "function memory",
            float(placed.memory_bytes.max(initial=0.0)),
            float(offerings.function_memory.most_bytes),
        ),
    )
    return tuple(
        f"{name}: {_amount(had)} of {_amount(bound)}"
        for name, had, bound in used
        if bound is not None and had >= _NEAR * bound
    )


def _amount(value: float) -> str:
    return f"{value:.4g}" if value < 1e6 else f"{value / 2**30:.1f} GiB"
