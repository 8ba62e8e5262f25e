"""Ours: experts, functions, memory and replicas of all layers together, by what each is worth.

Two kinds of plans are candidates: a function for each layer (`layered`), and functions that gather
rarely used experts of all layers (`gathered`). None of them depends on what is promised. They are
looked at from the cheapest on, by a model of sums, until the estimator confirms one; so a looser
promise never costs more. Everything resident is a candidate, too. The printed plan is none: it
depends on the promise, and is nowhere near the best (`tests/bench/optimality.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from remoe_planner.choosing.pool import PoolKnobs
from remoe_planner.estimating.placed import Floats
from remoe_planner.planning.gathered import gathered
from remoe_planner.planning.layered import layered
from remoe_planner.planning.ledger import Scores
from remoe_planner.planning.outcome import Outcome, nothing_fits, rank
from remoe_planner.planning.placing import Candidate, place, resident_homes
from remoe_planner.planning.problem import Problem
from remoe_planner.planning.promise import keeps


class Candidates(Protocol):
    """Plans of one kind, scored by sums."""

    @property
    def scores(self) -> Scores: ...

    def candidate(self, problem: Problem, index: int) -> Candidate | None:
        """One of them as a placement; None where it does not fit what is on offer."""


def choose_marginal(problem: Problem) -> Outcome:
    """The cheapest of all candidates inside the SLO; never dearer than everything resident.

    Raises:
        ValueError: nothing fits what is on offer.
    """
    by_layer = layered(problem, PoolKnobs())
    kinds: list[Candidates] = [*([by_layer] if by_layer else []), *gathered(problem)]
    found = [*_resident(problem), *confirmed(problem, kinds)]
    if not found:
        raise nothing_fits(problem)
    return min(found, key=lambda outcome: rank(problem, outcome))


def confirmed(problem: Problem, kinds: Sequence[Candidates]) -> Iterator[Outcome]:
    """The cheapest candidate that the estimator confirms, after those that it did not.

    Where no candidate is likely to keep the promise, those that come nearest.
    """
    if not kinds:
        return
    scores = Scores.joined([kind.scores for kind in kinds])
    looks = int(np.clip(MOST_EXPERTS_READ // problem.architecture.expert_count, 2, CONFIRMATIONS))
    for index in _order(problem, scores, looks):
        candidate = _candidate(problem, kinds, index)
        if candidate is None:
            continue
        outcome = Outcome.of(problem, candidate)
        yield outcome
        if keeps(outcome.estimate, problem.slo):
            return


def _order(problem: Problem, scores: Scores, looks: int) -> list[int]:
    """What to look at: the cheapest that keep the promise by sums, then those that do so with room.

    What comes nearest, where none does.
    """
    excess = np.where(np.isfinite(scores.cost), scores.excess(problem), np.inf)
    at_load = _AtLoad(problem, scores, excess)
    found: dict[int, None] = {}
    for room in ROOMS:
        found |= dict.fromkeys(at_load.cheapest(room, -(-looks // len(ROOMS))))
    return list(found) or _nearest_at_load(problem, scores, excess, looks)


class _AtLoad:
    """Candidates at the rate that is expected, each worked out once and only where it is asked."""

    def __init__(self, problem: Problem, scores: Scores, alone: Floats) -> None:
        self._problem, self._scores, self._alone = problem, scores, alone
        self._known = np.full(len(alone), np.nan)

    def cheapest(self, room: float, count: int) -> list[int]:
        """Of those that keep so much of the promise; few are looked at, then more."""
        # Nobody does better at a load than alone.
        likely = np.flatnonzero(self._alone <= room)
        cost, inside = self._scores.cost[likely], likely[:0]
        for looked_at in LOOKED_AT:
            order = likely[least(cost, looked_at)]
            inside = order[self._excess(order) <= room]
            if len(inside) >= count or len(order) == len(likely):
                break
        return [int(index) for index in inside[:count]]

    def _excess(self, which: NDArray[np.intp]) -> Floats:
        new = which[np.isnan(self._known[which])]
        if len(new):
            self._known[new] = self._scores.excess_at_load(self._problem, new)
        return np.asarray(self._known[which])


def _nearest_at_load(problem: Problem, scores: Scores, excess: Floats, count: int) -> list[int]:
    """Those that come nearest, among those that do so alone and those that do most."""
    hold = problem.stream.hold_seconds(scores.prefill_seconds, scores.steps[1])
    hold = np.where(np.isfinite(excess), hold, np.inf)
    near = np.union1d(least(excess, LOOKED_AT[1]), least(hold, LOOKED_AT[1]))
    near = near[np.isfinite(excess[near])]
    if not len(near):
        return []
    return [int(near[index]) for index in least(scores.excess_at_load(problem, near), count)]


def least(values: Floats, count: int) -> NDArray[np.intp]:
    """Indices of the smallest values, ascending, ties by index."""
    if len(values) <= count:
        return np.argsort(values, kind="stable")
    bound = np.partition(values, count - 1)[count - 1]
    # Equals of the last one are all taken along: sorting decides between them.
    few = np.flatnonzero(values <= bound)
    return np.asarray(few[np.argsort(values[few], kind="stable")][:count])


def _candidate(problem: Problem, kinds: Sequence[Candidates], index: int) -> Candidate | None:
    for kind in kinds:
        count = len(kind.scores.cost)
        if index < count:
            return kind.candidate(problem, index)
        index -= count
    raise IndexError(index)


def _resident(problem: Problem) -> Iterator[Outcome]:
    """Everything beside the main model, where that fits what is on offer."""
    resident = place(problem, resident_homes(problem))
    if resident is not None:
        yield Outcome.of(problem, Candidate(placed=resident, origin="Everything resident"))


ROOMS = (1.0, 0.97, 0.9, 0.7)
CONFIRMATIONS = 20
MOST_EXPERTS_READ = 30_000
LOOKED_AT = (32, 512, 4096)
"""Candidates whose load is worked out, the cheapest first, until enough of them can carry it."""
