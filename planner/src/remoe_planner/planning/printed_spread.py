"""What replicas of the printed plan's functions do to the time of a prefill, and to its cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from remoe_planner.latency.prefill import (
    chunk_expert_rows,
    local_seconds,
    module_seconds,
    task_seconds,
)
from remoe_planner.memory import GIB
from remoe_planner.planning.problem import Problem
from remoe_planner.replication.payload import fewest_replicas
from remoe_planner.replication.worst_case import longest_replica_bound

_ROW_VALUE_BYTES = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spread:
    """Prefill of every layer's remote experts, to be shared out over replicas.

    Attributes:
        tasks: [layers, experts] seconds of a typical prompt at each remote expert, transport
            included, least used first; 0 for local ones.
        rows_bytes: the same in bytes of token rows.
        largest_task_seconds: [layers], of an expert with the Theorem-1 bound of the prompt.
        local_seconds: [layers], of the local experts.
        beside_seconds: of the prompt, beside its experts.
        waiting_price: of a second of everything that waits (H_w).
        second_price: [layers], of a second of the function.
        call_seconds: of one warm call.
    """

    tasks: NDArray[np.float64]
    rows_bytes: NDArray[np.float64]
    largest_task_seconds: NDArray[np.float64]
    local_seconds: NDArray[np.float64]
    beside_seconds: float
    waiting_price: float
    second_price: NDArray[np.float64]
    call_seconds: float

    @classmethod
    def of(cls, problem: Problem, remote: NDArray[np.intp], memory: NDArray[np.float64]) -> Self:
        """For these numbers of remote experts and sizes of their functions, both [layers]."""
        profile, architecture, tokens = problem.profile, problem.architecture, _tokens(problem)
        visits = problem.routing.visits(architecture.top_k)[0]
        ordered = np.take_along_axis(visits, problem.order, axis=1)
        rows, chunks = chunk_expert_rows(ordered, tokens, profile.prefill_chunk)
        there = np.arange(rows.shape[1]) < remote[:, None]
        cores = problem.offerings.function_cores(np.maximum(memory, 1.0))[:, None]
        row_bytes = _ROW_VALUE_BYTES * architecture.hidden_size
        asked = np.where(there, rows, 0.0)
        tasks = task_seconds(profile, asked, cores=cores, row_bytes=row_bytes)
        local = np.where(
            there, 0.0, local_seconds(profile, rows, min(tokens, profile.prefill_chunk))
        ).sum(axis=1)
        busiest = np.full((len(remote), 1), _theorem_one(tokens, architecture.experts_per_layer))
        prices = problem.offerings.prices
        local_count = architecture.expert_count - int(remote.sum())
        waiting = problem.main_memory.size(local_count) * prices.main_gib_second
        return cls(
            tasks=chunks * tasks,
            rows_bytes=asked * row_bytes,
            largest_task_seconds=task_seconds(profile, busiest, cores=cores, row_bytes=row_bytes)[
                :, 0
            ],
            local_seconds=chunks * local,
            beside_seconds=module_seconds(profile, tokens, len(remote)) + profile.request_seconds,
            waiting_price=(waiting + problem.main_gpu_bytes * prices.gpu_gib_second) / GIB,
            second_price=memory / GIB * prices.function_gib_second,
            call_seconds=profile.call.mean_seconds,
        )

    def fewest(self, problem: Problem) -> NDArray[np.int64]:
        """[layers], replicas that the payload asks for; as many as are allowed where none do."""
        offerings = problem.offerings
        found = (
            fewest_replicas(
                tasks.tolist(),
                sent.tolist(),
                limit_bytes=offerings.payload_bytes,
                most=offerings.max_replicas,
            )
            if tasks.any()
            else 0
            for tasks, sent in zip(self.tasks, self.rows_bytes, strict=True)
        )
        return np.array([offerings.max_replicas if z is None else z for z in found], np.int64)

    def worst_first_token(self, replicas: NDArray[np.int64]) -> float:
        """Time to first token with every layer's longest replica at Theorem 4's bound."""
        return self.beside_seconds + float(self._layers(replicas).sum())

    def cost(self, replicas: NDArray[np.int64]) -> NDArray[np.float64]:
        """[layers], what a prefill costs: everything waits for the longest replica (eqs. 6, 8)."""
        busy = self.tasks.sum(axis=1) + replicas * self.call_seconds
        whole = self._layers(replicas) * self.waiting_price + busy * self.second_price
        return np.asarray(whole, np.float64)

    def _layers(self, replicas: NDArray[np.int64]) -> NDArray[np.float64]:
        longest = longest_replica_bound(
            total_seconds=self.tasks.sum(axis=1),
            largest_task_seconds=self.largest_task_seconds,
            replicas=np.maximum(replicas, 1),
            call_seconds=self.call_seconds,
        )
        return np.maximum(self.local_seconds, np.where(replicas > 0, longest, 0.0))


def _tokens(problem: Problem) -> int:
    return problem.workload.max_prompt_tokens


def _theorem_one(tokens: int, experts: int) -> float:
    """Most tokens at one expert, as printed (remoe.md 1.7)."""
    return math.sqrt(3 * tokens) / 2 + tokens / experts
