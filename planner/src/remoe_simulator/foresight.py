"""The fast loop beside a request, as the gateway asks it: at its arrival, and after its prefill."""

from __future__ import annotations

import numpy as np

from remoe_planner.fast_loop.demand import Phase
from remoe_planner.fast_loop.function_table import FunctionTable
from remoe_planner.fast_loop.situation import PassTimes, Standing, Worth
from remoe_planner.fast_loop.use_rates import UseRates
from remoe_planner.fast_loop.wake_choice import choose_wakes
from remoe_planner.forecasting.after_prefill import AfterPrefill
from remoe_planner.forecasting.outlook import Basis, Outlook
from remoe_simulator.agenda import Agenda, Happening
from remoe_simulator.contender import Contender
from remoe_simulator.fleet import Fleet
from remoe_simulator.sequence import Sequence
from remoe_simulator.simulated_request import SimulatedRequest

_UNFITTED_STRENGTH = 64.0
_USUAL_ANSWER = 64
# From the forecast to the first pass where the main model is awake.
_HANDOVER_SECONDS = 0.02
_LONGEST_DELAY_SECONDS = 300.0


class Foresight:
    """What forecasts of requests are good for: functions woken before they are called."""

    def __init__(
        self,
        contender: Contender,
        fleet: Fleet,
        *,
        agenda: Agenda,
        after_prefill: AfterPrefill | None = None,
    ) -> None:
        architecture = contender.plan.architecture
        self._fleet, self._agenda = fleet, agenda
        self._table = FunctionTable.of(contender.plan)
        self._number_of = {name: number for number, name in enumerate(self._table.names)}
        self._times = PassTimes.of(contender.profile, contender.plan)
        self._worth = Worth.of(contender.plan, contender.prices, slo=contender.slo)
        self._after_prefill = after_prefill or AfterPrefill(
            strengths=np.full(len(architecture.layers), _UNFITTED_STRENGTH)
        )
        self._rates = UseRates.none(len(self._table), at=0.0)
        self._put_off = np.zeros(len(self._table), bool)
        self._answers = self._answer_tokens = 0

    def arrived(self, request: SimulatedRequest, *, main_ready_in_seconds: float) -> None:
        """Wake what is worth it; the answer is taken to go where its prompt does."""
        prompt = request.prompt_forecast
        if prompt is None:
            return
        self._wake(
            Phase(frequencies=prompt, tokens=request.prompt_tokens),
            Phase(frequencies=prompt, tokens=self._usual_answer),
            max(main_ready_in_seconds, _HANDOVER_SECONDS),
        )

    def prefilled(self, request: SimulatedRequest) -> None:
        """The same for the answer, now that it is known where the prompt went."""
        prompt, answer = request.prompt_forecast, request.answer_forecast
        if prompt is None:
            return
        before = Outlook(
            frequencies=prompt if answer is None else answer, basis=Basis.PROMPT, evidence=1.0
        )
        counts = request.prompt_counts.astype(np.float64)
        updated = self._after_prefill.update(before, counts)
        self._wake(
            Phase(frequencies=prompt, tokens=0),
            Phase(frequencies=updated.frequencies, tokens=self._usual_answer),
            _HANDOVER_SECONDS,
        )

    def served(self, sequence: Sequence) -> None:
        """Learn from a request that is done."""
        self._rates = self._rates.after(sequence.used[1:], at=self._agenda.now)
        self._answers += 1
        self._answer_tokens += sequence.request.output_tokens

    def begun(self, function: str) -> None:
        """A wake that was put off is carried out."""
        self._put_off[self._number_of[function]] = False

    @property
    def _usual_answer(self) -> int:
        return self._answer_tokens // self._answers if self._answers else _USUAL_ANSWER

    def _wake(self, prompt: Phase, answer: Phase, main_ready_seconds: float) -> None:
        now = self._agenda.now
        standing = Standing(
            replicas=np.maximum(self._fleet.wanted[1:], self._put_off),
            start_seconds=self._fleet.start_seconds[1:],
            main_ready_seconds=main_ready_seconds,
            others_per_second=self._rates.per_second(at=now),
        )
        choice = choose_wakes(
            self._table, standing, self._times, self._worth, prompt=prompt, answer=answer
        )
        for number in np.flatnonzero(choice.chosen & ~self._put_off).tolist():
            self._put_off[number] = True
            delay = min(float(choice.after_seconds[number]), _LONGEST_DELAY_SECONDS)
            self._agenda.put(
                now + delay,
                Happening.WAKE_FORETOLD,
                self._table.names[number],
                replicas=max(int(choice.replicas[number]), 1),
            )
