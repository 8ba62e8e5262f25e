"""Forward passes in time: a chunk of a prompt, or a step of everybody.

Where all functions are there, a pass is one wait. Where some are missing, it goes in stretches of
layers: the main model computes the experts of those that are not there yet, from weights that it
reads first, and wakes those that sleep when it comes to them; who comes up meanwhile serves the
layers still ahead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from remoe_planner.hardware.profile import HardwareProfile
from remoe_simulator.agenda import Agenda, Happening
from remoe_simulator.asked import Asked
from remoe_simulator.fleet import Fleet
from remoe_simulator.pass_clock import PassClock
from remoe_simulator.sequence import Sequence
from remoe_simulator.steps_ahead import StepsAhead, asked_by
from remoe_simulator.use import Use
from remoe_simulator.work import Work

Numbers = NDArray[np.intp]


class Passes:
    """One main model's passes.

    Attributes:
        total: what all passes so far used.
    """

    def __init__(
        self,
        clock: PassClock,
        fleet: Fleet,
        profile: HardwareProfile,
        *,
        touch_seconds: float,
        agenda: Agenda,
    ) -> None:
        self.total = Use()
        self._clock, self._fleet, self._profile = clock, fleet, profile
        self._touch_seconds, self._agenda = touch_seconds, agenda
        self._ahead = StepsAhead(clock, fleet)
        self._layer_seconds: dict[int, float] = {}
        self._between_seconds: dict[int, float] = {}

    def chunk(self, sequence: Sequence) -> Iterator[float]:
        """The next chunk of a prompt; yields seconds to be waited."""
        request, number = sequence.request, sequence.chunks
        tokens = request.chunk_tokens[number]
        asked = Asked.of_chunk(self._clock.layout, request.chunk_rows[number], tokens)
        context = self._profile.prefill_context_seconds * tokens * sequence.cached
        yield from self._in_stretches([sequence], asked, self._layer(tokens) + context)
        yield self._between(tokens)

    def step(self, batch: list[Sequence]) -> Iterator[float]:
        """The next token of each of the batch; yields seconds to be waited."""
        cached = sum(sequence.cached for sequence in batch)
        layer = self._layer(len(batch)) + self._profile.context_seconds * cached
        work, turn, seconds = self._ahead.next(batch)
        if self._fleet.are_ready(work.functions_of(turn)):
            seconds += layer * self._clock.layout.layers
            seconds += self._luck(batch, int(work.calls_in_row[turn]))
            self._charge(batch, work, turn, seconds)
            yield seconds + self._between(len(batch))
        else:
            yield from self._in_stretches(batch, asked_by(batch), layer)
            yield self._between(len(batch))

    def _in_stretches(
        self, batch: list[Sequence], asked: Asked, layer_seconds: float
    ) -> Iterator[float]:
        """A pass that finds the functions as they are when it comes to each layer."""
        layout = self._clock.layout
        first = in_row = 0
        while first < layout.layers:
            last, part = layout.layers, asked.between(layout, first, layout.layers)
            work = self._clock.work(part, self._fleet.ready)
            if len(work.borrowed):
                last = self._miss(batch, part, work, first, layer_seconds)
                part = part.between(layout, first, last)
                work = self._clock.work(part, self._fleet.ready)
            in_row += int(work.calls_in_row[0])
            seconds = float(work.seconds.sum()) + (last - first) * layer_seconds
            seconds += self._borrow(batch, part.place[work.borrowed])
            if last == layout.layers:
                seconds = max(seconds + self._luck(batch, in_row), 0.0)
            self._charge(batch, work, 0, seconds)
            yield seconds
            first = last

    def _miss(
        self, batch: list[Sequence], asked: Asked, work: Work, first: int, layer_seconds: float
    ) -> int:
        """Have sleeping functions woken as layers come to them; the layer to look again at."""
        layout, fleet = self._clock.layout, self._fleet
        borrowed = asked.place[work.borrowed]
        layer_of = layout.layer_at[borrowed]
        touches = np.bincount(layer_of[_unread(batch, borrowed)], minlength=layout.layers)
        each = work.seconds[0] + layer_seconds + self._touch_seconds * touches
        begins = self._agenda.now + np.concatenate(([0.0], np.cumsum(each[first:])))
        homes = layout.home_at[borrowed].astype(np.intp)
        missed, places = np.unique(homes, return_index=True)
        # A layer that begins when somebody may have come up is looked at anew.
        same = int(np.searchsorted(begins, fleet.absent_until(missed)))
        last = min(first + max(same, 1), layout.layers)
        for number, layer in zip(missed.tolist(), layer_of[places].tolist(), strict=True):
            if layer < last and fleet.is_asleep(number):
                at = float(begins[layer - first])
                self._agenda.put(at, Happening.WAKE_CALLED, fleet.name_of(number))
        return last

    def _borrow(self, batch: list[Sequence], borrowed: Numbers) -> float:
        """Seconds to read the weights of these experts, which the batch has from then on."""
        if not len(borrowed):
            return 0.0
        unread = int(_unread(batch, borrowed).sum())
        for sequence in batch:
            sequence.borrow(borrowed)
        return unread * self._touch_seconds

    def _charge(self, batch: list[Sequence], work: Work, turn: int, seconds: float) -> None:
        """Share what begins now out among the batch, and note whom it calls."""
        use = Use(seconds, float(work.gib_seconds[turn]), int(work.calls[turn]))
        self.total.add(use)
        functions = work.functions_of(turn)
        for sequence, share in zip(batch, use.shares(len(batch)), strict=True):
            sequence.use.add(share)
            sequence.used[functions] = True
        if len(functions):
            self._fleet.used(functions, until_seconds=self._agenda.now + seconds)

    def _luck(self, batch: list[Sequence], calls_in_row: int) -> float:
        """Seconds by which calls in a row take longer than on average; they never take none."""
        if not calls_in_row:
            return 0.0
        call = self._profile.call
        fortune = sum(sequence.fortune for sequence in batch) / math.sqrt(len(batch))
        luck = fortune * call.deviation_seconds * math.sqrt(calls_in_row)
        return max(luck, -calls_in_row * call.mean_seconds)

    def _layer(self, rows: int) -> float:
        """Seconds of one layer beside its routed experts and its context."""
        found = self._layer_seconds.get(rows)
        if found is None:
            found = float(self._profile.module.at(rows) + 2 * self._profile.handover.at(rows))
            self._layer_seconds[rows] = found
        return found

    def _between(self, rows: int) -> float:
        """Seconds between passes."""
        found = self._between_seconds.get(rows)
        if found is None:
            found = self._between_seconds[rows] = float(self._profile.step.at(rows))
        return found


def _unread(batch: list[Sequence], places: Numbers) -> NDArray[np.bool_]:
    """Which of these experts nobody in the batch has had read yet."""
    read = np.logical_or.reduce([sequence.read[places] for sequence in batch])
    return np.asarray(~read, np.bool_)
