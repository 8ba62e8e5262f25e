"""A call comes in, a weighted sum goes out: judged, computed, counted. No sockets here."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.ffn import ExpertWeights
from remoe_functions.expert.kernel import ExpertKernel
from remoe_functions.expert.meter import Meter
from remoe_functions.expert.pairs import Group, grouped, weighted_sum
from remoe_functions.expert.precision import narrowed, widened
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


class ExpertService:
    """Answers the calls of one function; one call at a time, as its kernel demands."""

    def __init__(
        self, experts: Experts, kernel: ExpertKernel, meter: Meter, *, hidden_size: int
    ) -> None:
        self._experts = experts
        self._kernel = kernel
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
        groups = self._judged(call)
        rows = np.ascontiguousarray(widened(call.rows, call.dtype))
        total = weighted_sum(self._kernel, self._experts[call.layer], rows, groups)
        return Answer(
            call_id=call.call_id,
            rows=narrowed(total, call.dtype),
            dtype=call.dtype,
            busy_seconds=time.perf_counter() - started_at,
        )

    def _judged(self, call: Call) -> list[Group]:
        if call.layer not in self._experts:
            served = ", ".join(map(str, sorted(self._experts)))
            raise CallRefused(
                RefusalCode.UNKNOWN_EXPERT,
                f"layer {call.layer} is not served here; served are layers {served}",
            )
        if call.rows.shape[1] != self._hidden_size:
            raise CallRefused(
                RefusalCode.BAD_REQUEST,
                f"rows must be {self._hidden_size} wide, got {call.rows.shape[1]}",
            )
        groups = grouped(call)
        for index, _, _ in groups:
            if index not in self._experts[call.layer]:
                raise CallRefused(
                    RefusalCode.UNKNOWN_EXPERT,
                    f"expert {ExpertId(call.layer, index)} is not served here",
                )
        return groups
