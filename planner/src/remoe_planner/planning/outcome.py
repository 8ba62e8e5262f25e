"""What a method answers: the placement it chose, and what that is expected to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from remoe_planner.estimate import Estimate
from remoe_planner.estimating.placed import Placed
from remoe_planner.planning.placing import Candidate
from remoe_planner.planning.problem import Problem
from remoe_planner.planning.promise import excess


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """A choice.

    Attributes:
        placed: the placement.
        estimate: what it is expected to do.
        origin: how it came about, in words.
    """

    placed: Placed
    estimate: Estimate
    origin: str

    @classmethod
    def of(cls, problem: Problem, candidate: Candidate) -> Outcome:
        """A candidate with its estimate."""
        placed = candidate.placed
        return cls(placed=placed, estimate=problem.estimate(placed), origin=candidate.origin)


def best_of(problem: Problem, candidates: Iterable[Candidate]) -> Outcome:
    """The cheapest that keeps the promises; the one that comes nearest where none does.

    The first of equals.

    Raises:
        ValueError: there is no candidate, since nothing fits what is on offer.
    """
    outcomes = [Outcome.of(problem, candidate) for candidate in candidates]
    if not outcomes:
        raise nothing_fits(problem)
    return min(outcomes, key=lambda outcome: rank(problem, outcome))


def rank(problem: Problem, outcome: Outcome) -> tuple[float, float]:
    """Smaller is better: what is missed first, then cost."""
    missed = max(excess(outcome.estimate, problem.slo), 1.0)
    return missed, problem.cost(outcome.estimate)


def nothing_fits(problem: Problem) -> ValueError:
    """Says which sizes are too small."""
    main, function = problem.offerings.main_memory, problem.offerings.function_memory
    return ValueError(
        f"offerings: neither {main.most_bytes} bytes of main_memory hold the experts of "
        f"{problem.architecture.name}, nor do functions of {function.most_bytes} bytes take "
        f"enough of them over"
    )
