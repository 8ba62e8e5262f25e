"""Decode steps worked out many at a time, for as long as the batch and the functions stay."""

from __future__ import annotations

import numpy as np

from remoe_simulator.asked import Asked
from remoe_simulator.fleet import Fleet
from remoe_simulator.pass_clock import PassClock
from remoe_simulator.sequence import Sequence
from remoe_simulator.work import Work

_STEPS = 32


class StepsAhead:
    """The next steps of a batch, told as if every function it calls answered."""

    def __init__(self, clock: PassClock, fleet: Fleet) -> None:
        self._clock, self._fleet = clock, fleet
        self._batch: list[Sequence] = []
        self._changes = self._done = self._until = 0
        self._work: Work | None = None
        self._seconds: list[float] = []

    def next(self, batch: list[Sequence]) -> tuple[Work, int, float]:
        """The work that the batch's next step is in, its place there, and its experts' seconds."""
        first = batch[0].steps
        current = self._changes == self._fleet.changes and self._batch == batch
        if self._work is None or not current or not self._done <= first < self._until:
            self._look(batch)
        work = self._work
        if work is None:
            raise RuntimeError("steps were looked at and are not there")
        turn = first - self._done
        return work, turn, self._seconds[turn]

    def _look(self, batch: list[Sequence]) -> None:
        left = min(each.request.steps - each.steps for each in batch)
        count = min(max(_STEPS // len(batch), 1), left)
        asked = asked_by(batch, count)
        self._work = self._clock.work(asked, np.maximum(self._fleet.ready, 1))
        self._seconds = self._work.seconds.sum(axis=1).tolist()
        self._batch, self._changes = list(batch), self._fleet.changes
        self._done, self._until = batch[0].steps, batch[0].steps + count


def asked_by(batch: list[Sequence], steps: int = 1) -> Asked:
    """What the next steps of a batch ask of experts."""
    places = [each.places[each.steps : each.steps + steps] for each in batch]
    return Asked.of_steps(np.concatenate(places, axis=1), len(batch))
