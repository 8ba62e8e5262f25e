"""A decode step by the number of its rows: worked out for a few numbers, straight between them."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from remoe_planner.demand.workload import Workload
from remoe_planner.estimating.decoding import Step, Uneven, whole_step
from remoe_planner.estimating.demanded import Picks
from remoe_planner.estimating.given import Given
from remoe_planner.estimating.placed import Floats, Placed


def knots(workload: Workload, max_batch: int) -> tuple[int, ...]:
    """The numbers of rows that are worked out: a third of the next, and what is stated exactly."""
    least = math.floor(workload.concurrency)
    found, rows = {least, math.ceil(workload.concurrency)}, max_batch
    while rows > least:
        found.add(rows)
        rows = -(-rows // 3)
    return tuple(sorted(found))


@dataclass(slots=True, kw_only=True, eq=False)
class StepCurve:
    """The mean step of a placement.

    Attributes:
        placed: the placement.
        given: the workload on a machine.
        picks: of one generated token.
        max_batch: rows at most.
        context_tokens: tokens that each row has behind it, a mean.
    """

    placed: Placed
    given: Given
    picks: Picks
    max_batch: int
    context_tokens: float
    _known: dict[int, Step] = field(default_factory=dict)
    _uneven: Uneven | None = None

    def at(self, rows: float) -> Step:
        """The mean step of so many rows, a mean; never fewer than are stated to be together."""
        numbers = self._numbers
        rows = min(max(rows, self.given.workload.concurrency), numbers[-1])
        place = bisect_right(numbers, rows) - 1
        few = self._step(numbers[place])
        if rows == numbers[place]:
            return few
        return few.mixed(
            self._step(numbers[place + 1]),
            (rows - numbers[place]) / (numbers[place + 1] - numbers[place]),
        )

    def seconds(self, rows: NDArray[np.float64]) -> Floats:
        """[n], seconds of steps with so many rows."""
        known = [self._step(number).seconds for number in self._numbers]
        asked = np.maximum(rows, self.given.workload.concurrency)
        return np.asarray(np.interp(asked, self._numbers, known))

    @property
    def _numbers(self) -> tuple[int, ...]:
        return knots(self.given.workload, self.max_batch)

    def _step(self, rows: int) -> Step:
        if rows not in self._known:
            asked = self.given.step(rows)
            placed, profile = self.placed, self.given.profile
            if rows > 1 and self._uneven is None:
                self._uneven = Uneven.of(placed, profile, self.picks, asked)
            self._known[rows] = whole_step(
                placed, profile, self.picks, asked, self.context_tokens, self._uneven
            )
        return self._known[rows]
