"""Why a plan is as it is: a sentence for each decision."""

from __future__ import annotations

from collections.abc import Iterator

from remoe_planner.estimate import LoadEstimate
from remoe_planner.memory import GIB
from remoe_planner.planning.outcome import Outcome
from remoe_planner.planning.problem import Problem


def decisions(problem: Problem, outcome: Outcome) -> tuple[str, ...]:
    """One sentence per decision, the largest first."""
    return tuple(_sentences(problem, outcome))


def _sentences(problem: Problem, outcome: Outcome) -> Iterator[str]:
    placed, billing = outcome.placed, problem.offerings.billing
    cost = problem.billed(outcome.estimate)
    currency = problem.offerings.prices.currency
    yield (
        f"{outcome.origin}: {cost.per_request:.3g} {currency} a request with {billing} billing, "
        f"{cost.main_per_request:.3g} of it for the main model."
    )
    if outcome.estimate.load is not None and outcome.estimate.load.requests_per_second:
        yield told_load(outcome.estimate.load)
    remote = placed.homes > 0
    if not remote.any():
        yield "Every expert is local: no function would save what its calls and memory cost."
        return
    share = problem.utility[remote].sum() / problem.utility.sum()
    yield (
        f"{int(remote.sum())} of {remote.size} experts are remote, expected to take "
        f"{100 * share:.1f} % of the assignments; {placed.functions} functions serve them."
    )
    yield (
        f"The main model is given {placed.main_memory_bytes / GIB:.2f} GiB for "
        f"{int((~remote).sum())} local experts."
    )


def told_load(load: LoadEstimate) -> str:
    """A sentence about what is asked of main models."""
    models = "the main model" if load.replicas == 1 else f"{load.replicas} main models"
    share = load.share * load.most_replicas / load.replicas
    return (
        f"{_HOUR * load.requests_per_second:.4g} requests an hour ask {models} for "
        f"{100 * share:.3g} % of what can be done: {load.rows:.2f} are decoded together, and one "
        f"waits {load.line_seconds:.2g} s in line."
    )


_HOUR = 3600.0
