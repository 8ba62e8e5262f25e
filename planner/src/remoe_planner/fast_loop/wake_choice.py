"""Which functions to wake for a request, with how many replicas, and when.

A function that sleeps costs time: until it has started, the main model computes its experts
itself, from weights that it must read first. Whoever it calls it also wakes, so what an early wake
saves is the head start, and what it costs is the time awake before it is needed, and all of it
where nobody needs it. Woken is what saves more than it costs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.fast_loop.absence import Absence
from remoe_planner.fast_loop.burst import burst_replicas
from remoe_planner.fast_loop.demand import Phase, function_demand
from remoe_planner.fast_loop.function_table import FunctionTable
from remoe_planner.fast_loop.situation import PassTimes, Standing, Worth

_START_SPREAD = 1.3
"""Starts take this many times their estimate, when it is told how late is early enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """One function to be woken.

    Attributes:
        function: its name.
        replicas: that it should have.
        after_seconds: when to begin, so that it is ready when the main model reaches it.
    """

    function: str
    replicas: int
    after_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WakeChoice:
    """What was decided of every function, in the plan's order, and why.

    Attributes:
        names: of the functions.
        chosen: [functions] whether it is woken, or given more replicas.
        probability: [functions] that the request needs it.
        saved_seconds: [functions] expected, by waking it now and not when it is called.
        benefit: [functions] what they are worth.
        cost: [functions] what waking it now costs more than waking it when it is called.
        replicas: [functions] that it should have if it is woken or awake.
        after_seconds: [functions] when to begin.
    """

    names: tuple[str, ...]
    chosen: NDArray[np.bool_]
    probability: NDArray[np.float64]
    saved_seconds: NDArray[np.float64]
    benefit: NDArray[np.float64]
    cost: NDArray[np.float64]
    replicas: NDArray[np.int64]
    after_seconds: NDArray[np.float64]

    @property
    def wakes(self) -> tuple[Wake, ...]:
        """What to do, in the plan's order."""
        return tuple(
            Wake(
                function=self.names[i],
                replicas=int(self.replicas[i]),
                after_seconds=float(self.after_seconds[i]),
            )
            for i in np.flatnonzero(self.chosen)
        )

    def reason(self, function: str) -> str:
        """Why a function is woken or not, in a sentence.

        Raises:
            ValueError: the plan has no such function.
        """
        i = self.names.index(function)
        verdict = "woken" if self.chosen[i] else "left alone"
        return (
            f"{function} is {verdict}: needed with {self.probability[i]:.0%}; waking it now saves "
            f"{self.saved_seconds[i]:.3g} s, worth {self.benefit[i]:.3g}, and costs "
            f"{self.cost[i]:.3g}"
        )


def choose_wakes(
    table: FunctionTable,
    standing: Standing,
    times: PassTimes,
    worth: Worth,
    *,
    prompt: Phase,
    answer: Phase,
) -> WakeChoice:
    """Decide for one request; before its prefill, and again after it with no prompt left.

    Args:
        table: the plan's functions.
        standing: what is awake.
        times: how long things take.
        worth: what seconds cost.
        prompt: tokens still to be prefilled.
        answer: tokens that are expected to be generated.

    Raises:
        ValueError: forecasts or standing of another shape than the plan.
    """
    if len(standing.replicas) != len(table):
        raise ValueError(f"standing must have {len(table)} functions, got {len(standing.replicas)}")
    demand = function_demand(table, prompt, answer)
    ready = standing.main_ready_seconds
    first_second = worth.before_first_token(ready + prompt.tokens * times.token_seconds)
    answer_second = worth.in_answer(times.step_seconds)
    after = np.maximum(ready - standing.start_seconds * _START_SPREAD, 0.0)
    late = np.maximum(after + standing.start_seconds - ready, 0.0)
    absence = Absence(table=table, demand=demand, times=times)
    saved = absence.until_called(standing.start_seconds).beyond(absence.until(late))
    benefit = saved.prompt * first_second + saved.answer * answer_second
    cost = _cost(table, standing, worth, demand.probability, early=ready - after)
    woken = standing.asleep & (benefit > cost)
    replicas = burst_replicas(
        table, demand, times, standing, late_seconds=late, second_price=first_second, worth=worth
    )
    there = woken | ~standing.asleep
    return WakeChoice(
        names=table.names,
        chosen=woken | (there & (replicas > np.maximum(standing.replicas, 1))),
        probability=demand.probability,
        saved_seconds=saved.seconds,
        benefit=benefit,
        cost=cost,
        replicas=np.maximum(replicas, standing.replicas),
        after_seconds=after,
    )


def _cost(
    table: FunctionTable,
    standing: Standing,
    worth: Worth,
    probability: NDArray[np.float64],
    *,
    early: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Of waking now: the time before it is needed, or all of it where nobody needs it."""
    alone = 1 - probability
    if standing.others_per_second is not None:
        alone = alone * np.exp(-standing.others_per_second * table.keep_alive_seconds)
    idle = alone * (standing.start_seconds + table.keep_alive_seconds)
    seconds = idle + probability * np.maximum(early, 0.0)
    return np.asarray(worth.function_gib_second * table.memory_gib * seconds)
