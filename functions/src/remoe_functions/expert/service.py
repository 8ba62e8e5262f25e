"""A call comes in, a weighted sum goes out: judged, computed, counted. No sockets here."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.ffn import ExpertWeights
from remoe_functions.expert.kernel import Kernel
from remoe_functions.expert.meter import Meter
from remoe_functions.expert.pairs import Which, judge
from remoe_functions.expert.precision import narrowed
from remoe_functions.wire.errors import CallRefused
from remoe_functions.wire.message import Answer, Call, RefusalCode
from remoe_planner.experts import ExpertId

Experts = Mapping[int, Mapping[int, ExpertWeights]]


def mapped_experts(checkpoint: Checkpoint, experts: Iterable[ExpertId]) -> Experts:
    """Weights by layer and index.

    Raises:
        CheckpointError: the model has not such an expert.
    """
    by_layer: dict[int, dict[int, ExpertWeights]] = defaultdict(dict)
    for expert in experts:
        by_layer[expert.layer][expert.index] = checkpoint.expert(expert)
    return dict(by_layer)


class ServedLayer:
    """The experts of one layer that are served here."""

    _ABSENT = np.uint16(0xFFFF)

    def __init__(self, layer: int, experts: Mapping[int, ExpertWeights], kernel: Kernel) -> None:
        self._layer = layer
        indices = sorted(experts)
        self.kernel = kernel.layer([experts[index] for index in indices])
        self._places = np.full(indices[-1] + 1, self._ABSENT)
        self._places[indices] = np.arange(len(indices), dtype=np.uint16)

    def places(self, experts: Which) -> Which:
        """Where the kernel has these experts, [p].

        Raises:
            CallRefused: one is not served here.
        """
        places = self._places.take(experts, mode="clip")
        absent = (places == self._ABSENT) | (experts >= len(self._places))
        if absent.any():
            expert = ExpertId(self._layer, int(experts[absent].min()))
            raise CallRefused(RefusalCode.UNKNOWN_EXPERT, f"expert {expert} is not served here")
        return places


class ExpertService:
    """Answers the calls of one function; one call at a time, as its kernel demands."""

    def __init__(self, experts: Experts, kernel: Kernel, meter: Meter, *, hidden_size: int) -> None:
        self._layers = {
            layer: ServedLayer(layer, by_index, kernel) for layer, by_index in experts.items()
        }
        self._meter = meter
        self._hidden_size = hidden_size

    def answer(self, call: Call) -> Answer:
        """Compute a call.

        Raises:
            CallRefused: an expert that is not served here, or a call that contradicts itself.
        """
        started_at = time.perf_counter()
        try:
            answer = self._answer(call, started_at)
        except Exception:
            # The server tells the meter of the refusal itself, as of every other.
            self._meter.spent(time.perf_counter() - started_at)
            raise
        self._meter.answered(len(call.rows), len(call.experts), answer.busy_seconds)
        return answer

    def _answer(self, call: Call, started_at: float) -> Answer:
        layer = self._judged(call)
        places = layer.places(call.experts)
        total = layer.kernel.weighted_sum(
            call.rows, call.dtype, call.token_rows, places, call.weights
        )
        return Answer(
            call_id=call.call_id,
            rows=narrowed(total, call.answer_dtype),
            dtype=call.answer_dtype,
            busy_seconds=time.perf_counter() - started_at,
        )

    def _judged(self, call: Call) -> ServedLayer:
        if call.layer not in self._layers:
            served = ", ".join(map(str, sorted(self._layers)))
            raise CallRefused(
                RefusalCode.UNKNOWN_EXPERT,
                f"layer {call.layer} is not served here; served are layers {served}",
            )
        if call.rows.shape[1] != self._hidden_size:
            raise CallRefused(
                RefusalCode.BAD_REQUEST,
                f"rows must be {self._hidden_size} wide, got {call.rows.shape[1]}",
            )
        judge(call)
        return self._layers[call.layer]
