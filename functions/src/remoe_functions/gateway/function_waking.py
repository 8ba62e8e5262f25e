"""Waking functions beside a request, before main needs them; never in the request's way.

1. look at what is awake, and at how long starts took so far
2. ask the planner which functions are worth waking, with how many replicas and when
3. wake those in the background, each once at a time
4. when main tells what the request used: judge the choice, and learn from its times
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_functions.gateway.metrics import ModelMetrics
from remoe_functions.gateway.parts import PartsView
from remoe_functions.runtime.errors import PartError
from remoe_functions.runtime.runtime import Runtime
from remoe_functions.runtime.state import PartStatus
from remoe_planner.demand.slo import Slo
from remoe_planner.fast_loop.demand import Phase
from remoe_planner.fast_loop.function_table import FunctionTable
from remoe_planner.fast_loop.learned_times import Finished, LearnedTimes
from remoe_planner.fast_loop.situation import PassTimes, Standing, Worth
from remoe_planner.fast_loop.use_rates import UseRates
from remoe_planner.fast_loop.wake_choice import Wake, choose_wakes
from remoe_planner.hardware.profile import HardwareProfile, StartTime
from remoe_planner.plan import Plan
from remoe_planner.prices import Prices

_logger = logging.getLogger(__name__)
_WAKES_AT_ONCE = 16
# A wake that was put off longer is not worth remembering: main wakes what it calls.
_LONGEST_DELAY_SECONDS = 300.0
# From the forecast to main's first pass where main is awake: queue, network, batch.
_HANDOVER_SECONDS = 0.02
# Where there is neither a profile nor a start seen yet.
_STATED_FUNCTION_START = StartTime(seconds=1.5, bytes_per_second=1e9)
_STATED_MAIN_START = StartTime(seconds=10.0, bytes_per_second=1e9)


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeEconomy:
    """What the wakes of one model are decided with.

    Attributes:
        plan: its functions and their memory.
        prices: the price list.
        main_part: the runtime's name of its main model.
        profile: how long things take; None learns it from what is seen.
        slo: what is promised; None promises nothing.
    """

    plan: Plan
    prices: Prices
    main_part: str = "main"
    profile: HardwareProfile | None = None
    slo: Slo | None = None

    @property
    def times(self) -> PassTimes:
        """The passes' times before the first request."""
        if self.profile is None:
            read = self.plan.architecture.expert_bytes / _STATED_MAIN_START.bytes_per_second
            return PassTimes(touch_seconds=max(PassTimes().touch_seconds, read))
        return PassTimes.of(self.profile, self.plan)

    @property
    def starts(self) -> dict[str, float]:
        """Seconds that each part's start is expected to take before one was seen."""
        known = self.profile
        start = known.function_start if known else _STATED_FUNCTION_START
        weights = self.plan.architecture.expert_bytes
        main = known.main_start if known else _STATED_MAIN_START
        local = len(self.plan.local_experts) * weights + self.plan.architecture.main_bytes
        functions = {f.name: start.of(len(f.experts) * weights) for f in self.plan.functions}
        return functions | {self.main_part: main.of(local)}


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeRecord:
    """What one choice found and did.

    Attributes:
        asleep: functions that slept.
        woken: those of them that are woken for the request.
    """

    asleep: frozenset[str] = field(default_factory=frozenset)
    woken: frozenset[str] = field(default_factory=frozenset)


class FunctionWaker:
    """Wakes sleeping functions in the background, each once at a time.

    Belongs to one event loop.
    """

    def __init__(
        self,
        *,
        runtime: Runtime,
        parts: PartsView,
        metrics: ModelMetrics,
        economy: WakeEconomy,
    ) -> None:
        self._runtime = runtime
        self._parts = parts
        self._metrics = metrics
        self._slots = asyncio.Semaphore(_WAKES_AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._main_part = economy.main_part
        self._table = FunctionTable.of(economy.plan)
        self._worth = Worth.of(economy.plan, economy.prices, slo=economy.slo)
        self._learned = LearnedTimes(stated=economy.times)
        self._learns_passes = economy.profile is None
        self._starts = economy.starts
        self._rates = UseRates.none(len(self._table), at=0.0)
        self._main_called_at: float | None = None
        self._saw_main_start = False

    def wake_for(self, *, prompt: Phase, answer: Phase) -> WakeRecord:
        """Decide for one request, and begin; returns at once.

        Args:
            prompt: tokens still to be prefilled and where they go; no tokens after prefill.
            answer: the same of the tokens to be generated.
        """
        standing = self._standing()
        choice = choose_wakes(
            self._table,
            standing,
            self._learned.times,
            self._worth,
            prompt=prompt,
            answer=answer,
        )
        begun = [wake.function for wake in choice.wakes if self._begin(wake)]
        asleep = np.flatnonzero(standing.asleep)
        return WakeRecord(
            asleep=frozenset(self._table.names[i] for i in asleep), woken=frozenset(begun)
        )

    def judge(self, records: Iterable[WakeRecord], usage: Mapping[str, Any]) -> None:
        """Compare what was woken for a request with what it used, and learn from it.

        Args:
            records: its choices, the first of them before prefill.
            usage: main's account of the request.
        """
        try:
            used, finished = _used(usage), _finished(usage)
        except (TypeError, ValueError, AttributeError) as error:
            _logger.warning("main's account of a request is not understood: %r", error)
            return
        self._rates = self._rates.after(
            np.array([name in used for name in self._table.names], bool), at=self._now
        )
        if self._learns_passes:
            self._learned = self._learned.after(finished)
        choices = list(records)
        if not choices:
            return
        woken = frozenset().union(*(record.woken for record in choices))
        for name in woken:
            self._metrics.wake_judged(used=name in used)
        for name in used & frozenset(self._table.names):
            slept = name in choices[0].asleep
            found = "awake" if not slept else "woken" if name in woken else "asleep"
            self._metrics.function_needed(found)

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _standing(self) -> Standing:
        parts = self._parts.parts
        self._learn_starts(parts)
        replicas = [self._wanted(parts.get(name)) for name in self._table.names]
        coming = [name in self._tasks for name in self._table.names]
        return Standing(
            replicas=np.maximum(replicas, coming).astype(np.int64),
            start_seconds=np.array([self._starts[name] for name in self._table.names]),
            main_ready_seconds=self._until_main(parts.get(self._main_part)),
            others_per_second=self._other_uses(),
        )

    def _other_uses(self) -> NDArray[np.float64]:
        return self._rates.per_second(at=self._now)

    def _wanted(self, part: PartStatus | None) -> int:
        """Replicas wanted of a part; one that the runtime does not know cannot be woken."""
        return int(self._table.max_replicas.max(initial=1)) if part is None else part.desired

    def _learn_starts(self, parts: Mapping[str, PartStatus]) -> None:
        for name in self._starts:
            part = parts.get(name)
            if part is not None and part.ready and (took := part.ready[-1].startup_seconds) > 0:
                self._starts[name] = took
                self._saw_main_start |= name == self._main_part

    def _until_main(self, main: PartStatus | None) -> float:
        """Seconds until main takes the request, as its last start tells."""
        if main is None or main.ready:
            self._main_called_at = None
            return _HANDOVER_SECONDS
        if self._main_called_at is None or main.desired == 0:
            self._main_called_at = self._now
        elapsed = self._now - self._main_called_at
        return max(self._starts[self._main_part] - elapsed, _HANDOVER_SECONDS)

    def _begin(self, wake: Wake) -> bool:
        """Whether the function is woken, or given more replicas, by this."""
        if wake.function in self._tasks:
            return False
        self._metrics.woken(wake.function)
        task = asyncio.create_task(self._wake(wake), name=f"wake {wake.function}")
        self._tasks[wake.function] = task
        return True

    async def _wake(self, wake: Wake) -> None:
        try:
            # A start that nobody has seen yet is nothing to be late for.
            if self._saw_main_start:
                await asyncio.sleep(min(wake.after_seconds, _LONGEST_DELAY_SECONDS))
            async with self._slots:
                await self._ask(wake)
        except PartError as error:
            _logger.warning("cannot wake %s: %s", wake.function, error)
        finally:
            del self._tasks[wake.function]

    async def _ask(self, wake: Wake) -> None:
        part = self._parts.parts.get(wake.function)
        if wake.replicas > max(self._wanted(part), 1):
            await self._runtime.scale(wake.function, wake.replicas)
        else:
            await self._runtime.wake(wake.function)


def _used(usage: Mapping[str, Any]) -> frozenset[str]:
    functions = usage.get("functions") or {}
    return frozenset(name for name, use in functions.items() if use.get("calls", 0) > 0)


def _finished(usage: Mapping[str, Any]) -> Finished:
    functions = (usage.get("functions") or {}).values()
    return Finished(
        prompt_tokens=int(usage.get("prompt_tokens", 0)),
        answer_tokens=int(usage.get("completion_tokens", 0)),
        main_seconds=float(usage.get("main_seconds", 0.0)),
        rows=sum(float(use.get("rows", 0.0)) for use in functions),
        function_seconds=sum(float(use.get("busy_seconds", 0.0)) for use in functions),
    )
