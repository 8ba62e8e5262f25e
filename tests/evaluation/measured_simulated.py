"""The measured runs again on paper: the same prompts, their true routing, the same rests.

A prompt was sent when the one before it was answered, and after a rest here and there. On paper an
answer takes another time, so arrivals follow from the simulated answers, found by repetition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from evaluation.measured_plans import MAIN_KEEP_ALIVE_SECONDS, Served
from evaluation.measured_routing import Routed

from remoe_functions.gateway.forecasting import FunctionForecast
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.prices import DEFAULT_PRICES
from remoe_simulator.contender import Contender, Waking
from remoe_simulator.day import Day
from remoe_simulator.simulate import simulate
from remoe_simulator.simulated_request import SimulatedRequest

SEED = 0
ROUNDS = 5
# Sent this much after the answer, so that no request is taken to be beside the one before it.
_LEAST_SECONDS = 1e-3


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """What is simulated of a run.

    Attributes:
        gaps: seconds from the end of the answer before to each question.
        elapsed: seconds that each answer took when it was measured.
    """

    gaps: np.ndarray
    elapsed: np.ndarray

    @classmethod
    def of(cls, run: Mapping[str, Any]) -> Rerun:
        sent = np.array([one["sent_at"] for one in run["requests"]])
        elapsed = np.array([one["elapsed_seconds"] for one in run["requests"]])
        gaps = np.concatenate([[_LEAST_SECONDS], sent[1:] - (sent + elapsed)[:-1]])
        return cls(gaps=np.maximum(gaps, _LEAST_SECONDS), elapsed=elapsed)

    def arrivals(self, elapsed: np.ndarray) -> np.ndarray:
        """When each question comes if answers take so long."""
        return np.cumsum(self.gaps + np.concatenate([[0.0], elapsed[:-1]]))


def contender_of(one: Served, profile: HardwareProfile) -> Contender:
    """A served contender as the simulator knows it: the gateway here promises nothing."""
    return Contender(
        name=one.name,
        plan=one.plan,
        profile=profile,
        prices=DEFAULT_PRICES,
        waking=Waking.FORECAST if one.forecasts else Waking.WHEN_CALLED,
        main_keep_alive_seconds=MAIN_KEEP_ALIVE_SECONDS,
    )


def simulated(
    contender: Contender,
    run: Mapping[str, Any],
    routed: Sequence[Routed],
    forecast: FunctionForecast | None,
) -> Day:
    """The run's day on paper."""
    rerun = Rerun.of(run)
    asked = [one["request"] for one in run["requests"]]
    chunk = contender.profile.prefill_chunk
    requests = [request_of(n, routed[n], contender, chunk, forecast) for n in asked]
    after = None if forecast is None else forecast.past.after_prefill
    elapsed, day = rerun.elapsed, None
    for _ in range(ROUNDS):
        timed = [
            replace(request, arrival_seconds=float(at))
            for request, at in zip(requests, rerun.arrivals(elapsed), strict=True)
        ]
        day = simulate(contender, timed, seed=SEED, after_prefill=after)
        elapsed = np.array([one.finished_seconds - one.arrival_seconds for one in day.served])
    return day


def request_of(
    number: int,
    routed: Routed,
    contender: Contender,
    chunk: int,
    forecast: FunctionForecast | None,
) -> SimulatedRequest:
    """A measured prompt and answer, as the simulator knows them."""
    prompt = routed.prompt_experts
    parts = [prompt[start : start + chunk] for start in range(0, len(prompt), chunk)]
    shape = contender.plan.architecture.shape
    told = None
    if forecast is not None:
        told = forecast.foretell(routed.prompt.tolist(), len(routed.answer_experts) + 1)
    return SimulatedRequest(
        name=f"prompt {number:03d}",
        arrival_seconds=0.0,
        chunk_tokens=tuple(len(part) for part in parts),
        chunk_rows=np.stack([rows_of(part, shape) for part in parts]).astype(np.uint16),
        answer_picks=routed.answer_experts.astype(np.uint16),
        prompt_forecast=None if told is None else told.outlook.frequencies,
        answer_forecast=None if told is None else told.answer.frequencies,
    )


def rows_of(experts: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """[layers, experts], rows at each expert, of [tokens, layers, top_k]."""
    layers, count = shape
    cells = experts.astype(np.int64) + count * np.arange(layers)[:, None]
    return np.bincount(cells.ravel(), minlength=layers * count).reshape(shape)
