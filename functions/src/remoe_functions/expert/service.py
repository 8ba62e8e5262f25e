"""A call comes in, a weighted sum goes out: judged, computed, counted. No sockets here."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.ffn import ExpertWeights
from remoe_functions.expert.computing import Kernel, LayerKernel
from remoe_functions.expert.meter import Meter
from remoe_functions.wire.errors import CallRefused
from remoe_functions.wire.message import Answer, RefusalCode
from remoe_functions.wire.received import ReceivedCall
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


class ExpertService:
    """Answers the calls of one function; one call at a time, as its kernel demands."""

    def __init__(self, experts: Experts, kernel: Kernel, meter: Meter, *, hidden_size: int) -> None:
        self._layers = {layer: kernel.layer(by_index) for layer, by_index in experts.items()}
        self._meter = meter
        self._hidden_size = hidden_size

    def answer(self, call: ReceivedCall) -> Answer:
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
        self._meter.answered(call.shape[0], call.pair_count, answer.busy_seconds)
        return answer

    def _answer(self, call: ReceivedCall, started_at: float) -> Answer:
        rows = self._layer_of(call).answer(call)
        return Answer(
            call_id=call.call_id,
            rows=rows,
            dtype=call.answer_dtype,
            busy_seconds=time.perf_counter() - started_at,
            bytes_shape=call.shape if isinstance(rows, bytearray) else None,
        )

    def _layer_of(self, call: ReceivedCall) -> LayerKernel:
        if call.layer not in self._layers:
            served = ", ".join(map(str, sorted(self._layers)))
            raise CallRefused(
                RefusalCode.UNKNOWN_EXPERT,
                f"layer {call.layer} is not served here; served are layers {served}",
            )
        if call.shape[1] != self._hidden_size:
            raise CallRefused(
                RefusalCode.BAD_REQUEST,
                f"rows must be {self._hidden_size} wide, got {call.shape[1]}",
            )
        return self._layers[call.layer]
