"""How long the routed experts of forward passes take, told from the rows they really get.

The estimator's own sums (eqs. 1 to 5), with counts in the place of expectations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.estimating.decoding import row_bytes_of
from remoe_planner.estimating.placed import Placed
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.latency.together import in_line, together
from remoe_planner.memory import GIB
from remoe_simulator.asked import Asked
from remoe_simulator.expert_seconds import ExpertSeconds
from remoe_simulator.layout import Layout
from remoe_simulator.spread import busiest_part
from remoe_simulator.work import Work

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]

_SPREAD_PAIRS = 16
"""Pairs that a replica must get for the main model to split a layer's call."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Calls:
    """Calls of functions, each for one layer of one pass, in order.

    Attributes:
        segment: [calls], the pass and layer of each.
        function: [calls], from 1.
        parts: [calls], replicas that share it, times their payloads.
        way: [calls], seconds beside the work.
        longest: [calls], seconds of work of the busiest replica.
        work: [calls], seconds of work of all replicas.
    """

    segment: Numbers
    function: Numbers
    parts: NDArray[np.int64]
    way: Floats
    longest: Floats
    work: Floats


class PassClock:
    """One plan on one machine."""

    def __init__(
        self, placed: Placed, profile: HardwareProfile, *, payload_bytes: int | None = None
    ) -> None:
        self.layout = Layout.of(placed)
        self._profile = profile
        self._top_k = placed.architecture.top_k
        self._row_bytes = row_bytes_of(placed)
        self._payload_bytes = payload_bytes
        self._expert = ExpertSeconds(placed, profile)
        self._memory_gib = np.concatenate(([0.0], placed.memory_bytes / GIB))
        self._line = float(in_line(profile, 0.0))

    def work(self, asked: Asked, ready: NDArray[np.int64]) -> Work:
        """Of these passes.

        Args:
            asked: of experts.
            ready: [functions + 1], replicas of each that answer; the main model first, with one.
                Where there are none, the main model computes the experts itself.
        """
        layout, layers = self.layout, self.layout.layers
        home = layout.home_at[asked.place].astype(np.intp)
        served = np.where(ready[home] > 0, home, 0)
        seconds = self._expert.at(served, asked.rows)
        segment = asked.turn * layers + layout.layer_at[asked.place]
        remote = served > 0
        shape = (asked.passes, layers)
        local = _sums(segment, np.where(remote, 0.0, seconds), asked.passes * layers)
        calls = self._calls(asked, np.flatnonzero(remote), segment, seconds, home, ready)
        turn = calls.segment // layers
        called, waited = self._waiting(calls, len(local))
        wire = self._profile.call.main_seconds * called
        gib = calls.work * self._memory_gib[calls.function]
        return Work(
            seconds=together(self._profile, local + wire, waited).reshape(shape),
            calls=called.reshape(shape).sum(axis=1).astype(np.int64),
            calls_in_row=(called.reshape(shape) > 0).sum(axis=1),
            gib_seconds=_sums(turn, gib, asked.passes),
            functions=calls.function,
            bounds=np.searchsorted(turn, np.arange(asked.passes + 1)),
            borrowed=np.flatnonzero(served != home),
        )

    def _calls(
        self,
        asked: Asked,
        picked: Numbers,
        segment: Numbers,
        seconds: Floats,
        home: Numbers,
        ready: NDArray[np.int64],
    ) -> _Calls:
        key = asked.turn[picked] * self.layout.calls + self.layout.call_at[asked.place[picked]]
        fresh = np.ones(len(key), bool)
        np.not_equal(key[1:], key[:-1], out=fresh[1:])
        starts = np.flatnonzero(fresh)
        if not len(starts):
            return _NO_CALLS
        function = home[picked][starts]
        rows, each = asked.rows[picked], seconds[picked]
        pairs, work = np.add.reduceat(rows, starts), np.add.reduceat(each, starts)
        parts = np.minimum(np.maximum(pairs // _SPREAD_PAIRS, 1), ready[function])
        longest = busiest_part(rows, each, starts, parts, work)
        distinct = self._distinct(rows, starts, pairs, asked.tokens)
        travelling = np.minimum(distinct, pairs / parts) * self._row_bytes
        in_turn = self._in_turn(travelling)
        call = self._profile.call
        return _Calls(
            segment=segment[picked][starts],
            function=function,
            parts=parts * in_turn,
            way=in_turn * call.mean_seconds + 2 * travelling / call.bytes_per_second,
            longest=longest,
            work=work,
        )

    def _distinct(
        self, rows: NDArray[np.int64], starts: Numbers, pairs: NDArray[np.int64], tokens: int
    ) -> Floats:
        """Expected tokens that have any row in each call: a token's row travels once.

        Of prompts only counts are known. Picks as draws of experts, and experts as drawn apart,
        are both bounds from below, since a token never picks an expert twice; the first is exact
        for all picks, the second for one expert.
        """
        if tokens == 1:
            return np.ones(len(starts))
        draws = (1 - np.minimum(pairs / (tokens * self._top_k), 1.0)) ** self._top_k
        apart = np.multiply.reduceat(np.maximum(1 - rows / tokens, 0.0), starts)
        return np.asarray(tokens * (1 - np.minimum(draws, apart)))

    def _in_turn(self, travelling: Floats) -> NDArray[np.int64]:
        """Calls that follow each other since one cannot carry it all."""
        if self._payload_bytes is None:
            return np.ones(len(travelling), np.int64)
        return np.maximum(np.ceil(travelling / self._payload_bytes), 1).astype(np.int64)

    def _waiting(self, calls: _Calls, segments: int) -> tuple[Floats, Floats]:
        """Calls, and seconds until the last of them is answered, each [segments] (`slowest`)."""
        waited = np.zeros(segments)
        if not len(calls.segment):
            return waited, waited
        starts = np.flatnonzero(np.diff(calls.segment, prepend=-1))
        alone = np.maximum.reduceat(calls.way + calls.longest, starts)
        way = np.maximum.reduceat(calls.way, starts)
        work = np.add.reduceat(calls.longest, starts)
        waited[calls.segment[starts]] = np.maximum(alone, way + self._line * work)
        return _sums(calls.segment, calls.parts, segments), waited


_NO_CALLS = _Calls(
    segment=np.zeros(0, np.intp),
    function=np.zeros(0, np.intp),
    parts=np.zeros(0, np.int64),
    way=np.zeros(0),
    longest=np.zeros(0),
    work=np.zeros(0),
)


def _sums(groups: Numbers, values: NDArray[np.float64] | NDArray[np.int64], count: int) -> Floats:
    """Sums of values over groups 0 to count - 1."""
    return np.asarray(np.bincount(groups, weights=values, minlength=count), np.float64)
