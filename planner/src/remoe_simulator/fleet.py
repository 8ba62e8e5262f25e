"""The functions' replicas: asleep, starting, ready, idle. Who wakes them is not decided here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remoe_planner.estimating.placed import Placed
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.plan import Plan
from remoe_simulator.agenda import Agenda, Happening
from remoe_simulator.meter import Meter

Numbers = NDArray[np.intp]
Counts = NDArray[np.int64]


class Fleet:
    """All functions, numbered from 1 as in `Placed`; 0 is the main model, always there.

    Attributes:
        ready: [functions + 1], replicas that answer.
        wanted: [functions + 1], those and the starting ones.
        start_seconds: [functions + 1], of a cold start.
        changes: how often one that has several replicas got or lost some.
        starts: replicas started.
        early_starts: of them, begun by a forecast.
        early_used: of these, called before they slept again.
    """

    def __init__(
        self,
        plan: Plan,
        placed: Placed,
        profile: HardwareProfile,
        *,
        agenda: Agenda,
        meter: Meter,
    ) -> None:
        self._functions = plan.functions
        self._number_of = {f.name: number for number, f in enumerate(plan.functions, start=1)}
        self._agenda, self._meter = agenda, meter
        weights = placed.weight_bytes.tolist()
        starts = [profile.function_start.of(weight) for weight in weights]
        self.start_seconds = np.array([0.0, *starts])
        self._start_seconds_least = min(starts, default=np.inf)
        self.ready: Counts = np.array([1, *(f.min_replicas for f in plan.functions)], np.int64)
        self.wanted = self.ready.copy()
        self.changes = self.starts = self.early_starts = self.early_used = 0
        self._quiet_since = np.zeros(len(self.ready))
        self._early = np.zeros(len(self.ready), np.int64)
        self._watched = np.zeros(len(self.ready), bool)
        self._ready_at = np.full(len(self.ready), np.inf)
        for function in plan.functions:
            if function.min_replicas:
                meter.replicas_start(function.min_replicas, function.memory_bytes, 0.0)
                meter.replicas_are_ready(function.min_replicas, function.memory_bytes, 0.0)

    def absent_until(self, numbers: Numbers) -> float:
        """None of these, of which none is ready, is so before then, whatever is begun from now."""
        soonest = self._agenda.now + self._start_seconds_least
        return min(float(self._ready_at[numbers].min(initial=np.inf)), soonest)

    def are_ready(self, numbers: Numbers) -> bool:
        """Whether all of these answer."""
        return bool(self.ready[numbers].all())

    def is_asleep(self, number: int) -> bool:
        return not self.wanted[number]

    def name_of(self, number: int) -> str:
        return self._functions[number - 1].name

    def wake(self, name: str, *, replicas: int = 1, early: bool = False) -> None:
        """Start what is missing to so many replicas, which the plan's bound limits.

        Args:
            name: of the function.
            replicas: that it should have.
            early: whether a forecast asks for them, and no call.
        """
        number = self._number_of[name]
        function = self._functions[number - 1]
        more = min(replicas, function.max_replicas) - int(self.wanted[number])
        if more <= 0:
            return
        now = self._agenda.now
        self.wanted[number] += more
        self.starts += more
        self.early_starts += more * early
        self._early[number] += more * early
        self._meter.replicas_start(more, function.memory_bytes, now)
        ready_at = now + float(self.start_seconds[number])
        self._ready_at[number] = min(self._ready_at[number], ready_at)
        self._agenda.put(ready_at, Happening.REPLICA_READY, name, replicas=more)

    def became_ready(self, name: str, replicas: int) -> None:
        """Replicas have started."""
        number = self._number_of[name]
        self.ready[number] += replicas
        self._ready_at[number] = np.inf
        memory_bytes = self._functions[number - 1].memory_bytes
        self._meter.replicas_are_ready(replicas, memory_bytes, self._agenda.now)
        self.changes += int(self.ready[number]) > 1
        self._quiet_since[number] = max(self._quiet_since[number], self._agenda.now)
        self._watch(number)

    def used(self, numbers: Numbers, *, until_seconds: float) -> None:
        """These are called, and the last of it ends then."""
        self._quiet_since[numbers] = until_seconds
        if self._early.any():
            self.early_used += int(self._early[np.unique(numbers)].sum())
            self._early[numbers] = 0

    def look_whether_idle(self, name: str) -> None:
        """Stop replicas that nobody has called for the keep-alive, all but those that stay."""
        number = self._number_of[name]
        self._watched[number] = False
        if self._agenda.now < self._idle_at(number) or self.ready[number] < self.wanted[number]:
            self._watch(number)
            return
        function = self._functions[number - 1]
        spare = int(self.ready[number]) - function.min_replicas
        self.changes += int(self.ready[number]) > 1
        self.ready[number] = self.wanted[number] = function.min_replicas
        self._early[number] = 0
        self._meter.replicas_stop(spare, function.memory_bytes, self._agenda.now)

    def _watch(self, number: int) -> None:
        """Look again when it may be idle; no more than one look at a time is written down."""
        function = self._functions[number - 1]
        some_starting = self.ready[number] < self.wanted[number]
        if self._watched[number] or some_starting or self.ready[number] <= function.min_replicas:
            return
        self._watched[number] = True
        self._agenda.put(self._idle_at(number), Happening.REPLICA_IDLE, function.name)

    def _idle_at(self, number: int) -> float:
        keep_alive = self._functions[number - 1].keep_alive_seconds
        return float(self._quiet_since[number]) + keep_alive
