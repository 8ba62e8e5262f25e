"""Which calls are computed, which wait, which are refused. Threads meet here and nowhere else."""

from __future__ import annotations

import time
from threading import Condition, Lock

from remoe_functions.wire.limits import Capacity
from remoe_functions.wire.message import RefusalCode


class Admission:
    """Counts the calls of one server.

    A call's life: `enter` (a slot, or a reason why not), `computed` (the slot is free for the next
    one; left out when the answer goes at once), `leave` (its answer is sent).
    """

    def __init__(self, capacity: Capacity) -> None:
        self._slots = capacity.compute_slots
        self._max_waiting = capacity.max_waiting
        self._lock = Lock()
        self._changed = Condition(self._lock)
        self._computing = 0
        self._waiting = 0
        self._in_flight = 0
        self._is_draining = False
        self._last_active_at = time.monotonic()

    @property
    def in_flight(self) -> int:
        """Calls that wait, compute or send their answer."""
        return self._in_flight

    @property
    def idle_seconds(self) -> float:
        """Time since the last call left; zero while any is in flight."""
        with self._lock:
            return 0.0 if self._in_flight else time.monotonic() - self._last_active_at

    def enter(self, budget_seconds: float) -> RefusalCode | None:
        """Takes a slot, waiting for one at most as long as the call's budget.

        Returns:
            None when the call may compute; else why not, and the call counts as gone.
        """
        with self._lock:
            if self._is_draining:
                return RefusalCode.DRAINING
            if budget_seconds <= 0:
                return RefusalCode.EXPIRED
            if self._computing >= self._slots:
                return self._wait_for_slot(budget_seconds)
            self._computing += 1
            self._in_flight += 1
            return None

    def computed(self) -> None:
        with self._lock:
            self._free_slot()

    def leave(self, *, holds_slot: bool) -> None:
        with self._lock:
            if holds_slot:
                self._free_slot()
            self._end()

    def drain(self, timeout_seconds: float) -> bool:
        """Refuses new calls; waits for those in flight. Tells whether all have left."""
        with self._lock:
            self._is_draining = True
            return self._changed.wait_for(lambda: not self._in_flight, timeout_seconds)

    def _wait_for_slot(self, budget_seconds: float) -> RefusalCode | None:
        if self._waiting >= self._max_waiting:
            return RefusalCode.BUSY
        self._waiting += 1
        self._in_flight += 1
        has_slot = self._changed.wait_for(lambda: self._computing < self._slots, budget_seconds)
        self._waiting -= 1
        if not has_slot:
            self._end()
            return RefusalCode.EXPIRED
        self._computing += 1
        return None

    def _free_slot(self) -> None:
        self._computing -= 1
        if self._waiting:
            self._changed.notify_all()

    def _end(self) -> None:
        self._in_flight -= 1
        self._last_active_at = time.monotonic()
        if self._is_draining:
            self._changed.notify_all()
