"""What the recorded history tells of a prompt by its vector, else by the mean of all requests.

The stand-in where the prompt's tokens were never seen, and the prior of every decode forecast,
which the prompt's own counts then update. Immutable, so threads may share it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from remoe_planner.activation_history import ActivationHistory
from remoe_planner.forecast import layer_frequencies
from remoe_planner.forecasting.after_prefill import (
    AfterPrefill,
    Continuation,
    fit_after_prefill,
)
from remoe_planner.forecasting.from_history import answer_forecaster, prompt_forecaster
from remoe_planner.forecasting.neighbors import NeighborKnobs
from remoe_planner.forecasting.outlook import Basis, Outlook, uniform_outlook
from remoe_planner.forecasting.routed_prompt import Query
from remoe_planner.forecasting.shape import RoutingShape
from remoe_planner.forecasting.vector_forecaster import VectorForecaster

# The latest requests that are fitted on: seconds of one core, and tens of MiB.
FITTED_REQUESTS = 5_000
BY_VECTOR = (Basis.VECTOR, Basis.SIMILAR_PROMPTS)
"""What a forecast rests on that was made from the prompt's vector."""

_UNFITTED_STRENGTH = 64.0
_JUDGED = 200
_LEAST_JUDGED = 16


class PastRequests:
    """A history made ready to be asked.

    Attributes:
        requests: served in all.
        decode_tokens: that a request usually takes.
        mean: [layers, experts], the mean of the prompts' frequencies.
        after_prefill: how a decode forecast takes the prompt's counts into account.
    """

    def __init__(self, history: ActivationHistory, shape: RoutingShape, neighbors: int) -> None:
        """Fit a history, which may be empty: seconds where it is long.

        Args:
            history: what was recorded.
            shape: of the routing.
            neighbors: similar prompts that vote.
        """
        knobs = NeighborKnobs(alpha=neighbors, capacity=FITTED_REQUESTS)
        latest = _part(history, slice(-FITTED_REQUESTS, None))
        answered = _part(latest, np.flatnonzero(latest.decode.any(axis=(1, 2))))
        self.requests = history.requests
        self.decode_tokens = _mean_decode_tokens(history)
        self._prompts = _Phase(latest, history.prefill, prompt_forecaster(latest, shape, knobs))
        self._answers = _Phase(answered, answered.decode, answer_forecaster(answered, shape, knobs))
        self.mean = self._prompts.mean.frequencies
        self.after_prefill = _fitted(answered, shape, knobs)

    def prompt(self, query: Query) -> Outlook:
        """Where a prompt will go."""
        return self._prompts.outlook(query)

    def answer(self, query: Query) -> Outlook:
        """Where its answer will go, for as long as nothing more is known."""
        return self._answers.outlook(query)


class _Phase:
    """Prompts or answers: by the vector where that tells something, else the mean, else even."""

    def __init__(
        self, history: ActivationHistory, counts: NDArray[np.uint32], forecaster: VectorForecaster
    ) -> None:
        self.mean = uniform_outlook(history.shape)
        if len(counts):
            spread = layer_frequencies(counts).mean(axis=0)
            self.mean = Outlook(frequencies=spread, basis=Basis.MEAN, evidence=len(counts))
        self._forecaster = forecaster

    def outlook(self, query: Query) -> Outlook:
        found = self._forecaster.forecast(query)
        return found if found.basis in BY_VECTOR else self.mean


def _mean_decode_tokens(history: ActivationHistory) -> int:
    return int(history.decode_tokens.sum(dtype=np.uint64) / max(history.requests, 1))


def _fitted(answered: ActivationHistory, shape: RoutingShape, knobs: NeighborKnobs) -> AfterPrefill:
    """Fitted on the latest requests, foretold from the earlier ones."""
    held = min(_JUDGED, len(answered) // 2)
    if held < _LEAST_JUDGED:
        return AfterPrefill(strengths=np.full(shape.layers, _UNFITTED_STRENGTH))
    earlier, later = _part(answered, slice(-held)), _part(answered, slice(-held, None))
    past = _Phase(earlier, earlier.decode, answer_forecaster(earlier, shape, knobs))
    # Of a prompt that came several times the counts are of one time.
    times = np.ones(held) if later.times is None else later.times.astype(np.float64)
    return fit_after_prefill(
        [
            Continuation(
                forecast=past.outlook(_query(vector, tokens / often)).frequencies,
                counts=counts / often,
                rest=rest,
            )
            for vector, tokens, counts, often, rest in zip(
                later.vectors,
                later.prompt_tokens,
                later.prefill,
                times,
                layer_frequencies(later.decode),
                strict=True,
            )
        ]
    )


def _query(vector: NDArray[np.float32], tokens: float) -> Query:
    return Query(tokens=np.zeros(round(tokens), np.int64), vector=vector)


def _part(history: ActivationHistory, rows: slice | NDArray[np.intp]) -> ActivationHistory:
    return replace(
        history,
        vectors=history.vectors[rows],
        prefill=history.prefill[rows],
        decode=history.decode[rows],
        prompt_tokens=history.prompt_tokens[rows],
        decode_tokens=history.decode_tokens[rows],
        times=None if history.times is None else history.times[rows],
    )
