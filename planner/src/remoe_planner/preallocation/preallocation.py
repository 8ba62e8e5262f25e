"""Main Model Pre-allocation (MMP): the least main memory with which the SLO holds at its worst.

1. bound what the request can ask of the m least used experts of each layer, for every m
2. say how long each layer takes then
3. take as many experts out of the main model as latency allows
4. round the memory that the others need up to the grid
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from remoe_planner.architecture import Architecture
from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.offerings import Offerings
from remoe_planner.preallocation.bound import Bound, Promise, TokenBounds
from remoe_planner.preallocation.choice import token_bounds
from remoe_planner.preallocation.main_memory import MainMemory
from remoe_planner.preallocation.remote_counts import Candidates, layer_candidates, share_candidates
from remoe_planner.preallocation.sets import use_order
from remoe_planner.preallocation.worst_case import (
    LatencyModel,
    Machine,
    RemoteRows,
    WorstCase,
    worst_case,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreallocationKnobs:
    """How the worst case is bounded and searched.

    Attributes:
        bound: on tokens at experts.
        latency: what the worst case is made of.
        per_layer: whether each layer has its own number of remote experts; else all have the
            share b, as the paper has it.
        step: by which b is lowered (epsilon), where all layers share it; > 0, at most 1.
        largest_function_floor: whether the main model is given no less than the largest function
            (M_cal of the paper, where memory buys the main model's cores).
    """

    bound: Bound = Bound.QUANTILE
    latency: LatencyModel = LatencyModel.OVERLAPPED
    per_layer: bool = True
    step: float = 0.01
    largest_function_floor: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.step <= 1:
            raise ValueError(f"step must be > 0 and at most 1, got {self.step}")


_LENGTHS_KEPT = 16

PRINTED_KNOBS = PreallocationKnobs(
    bound=Bound.PRINTED,
    latency=LatencyModel.PRINTED,
    per_layer=False,
    largest_function_floor=True,
)
"""The algorithm as printed, where it is well defined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preallocation:
    """What the main model is given.

    Attributes:
        remote_counts: experts of each layer that may be remote, the least used ones.
        remote_share: of all experts (b).
        main_memory_bytes: a size of the grid; the largest where nothing holds the SLO.
        worst_ttft_seconds: at worst, a cold start included where it is that likely.
        worst_tpot_seconds: at worst, a mean over the answer.
        bound: by which.
        feasible: whether both promises hold at worst and the memory is on offer.
    """

    remote_counts: tuple[int, ...]
    remote_share: float
    main_memory_bytes: int
    worst_ttft_seconds: float
    worst_tpot_seconds: float
    bound: Bound
    feasible: bool


class Preallocator:
    """MMP for one model, machine and history: made once, asked by every request.

    Neither a forecast nor the plan's other parts are needed, so it runs while they are made.
    """

    def __init__(
        self,
        architecture: Architecture,
        routing: Routing,
        profile: HardwareProfile,
        offerings: Offerings,
        *,
        confidence: float = 0.95,
        knobs: PreallocationKnobs | None = None,
    ) -> None:
        """Make the bounds of both phases ready.

        Raises:
            ValueError: the routing has another shape than the model, or confidence is not
                between 0 and 1.
        """
        if routing.shape != architecture.shape:
            raise ValueError(
                f"routing must have shape {architecture.shape}, as the model has, "
                f"got {routing.shape}"
            )
        self._knobs = knobs or PreallocationKnobs()
        self._architecture = architecture
        self._machine = Machine.of(architecture, profile, offerings, confidence)
        self._order = use_order(routing.prefill, routing.decode)
        self._prefill = self._bounds(routing, routing.prefill, confidence)
        # Most requests ask for answers of the same few lengths.
        self._decode_at = lru_cache(_LENGTHS_KEPT)(
            self._bounds(routing, routing.decode, confidence).at
        )

    def _bounds(
        self, routing: Routing, shares: NDArray[np.float64], confidence: float
    ) -> TokenBounds:
        return token_bounds(
            self._knobs.bound,
            routing,
            shares=shares,
            order=self._order,
            top_k=self._architecture.top_k,
            promise=Promise(confidence=confidence),
        )

    def allocate(
        self, slo: Slo, *, prompt_tokens: int, output_tokens: int, cold_probability: float = 1.0
    ) -> Preallocation:
        """What a request of this length needs.

        Args:
            slo: the promise; a latency that it does not promise binds nothing.
            prompt_tokens: >= 1.
            output_tokens: >= 1.
            cold_probability: that it finds the main model asleep. Its start counts where that is
                more likely than the SLO's percentile leaves open.

        Raises:
            ValueError: an argument is out of bounds.
        """
        _check(prompt_tokens, output_tokens, cold_probability)
        worst = worst_case(
            self._machine, self._remote_rows(prompt_tokens, output_tokens), self._knobs.latency
        )
        cold = cold_probability > 1 - slo.percentile
        candidates = self._candidates(worst, cold=cold)
        memory = self._memory(prompt_tokens + output_tokens)
        local = self._architecture.expert_count - candidates.remote
        chosen, feasible = candidates.first_within(slo, memory.fits(local))
        return self._value(candidates, chosen, feasible=feasible, memory=memory)

    def _remote_rows(self, prompt_tokens: int, output_tokens: int) -> RemoteRows:
        prefill, decode = self._prefill.at(prompt_tokens), self._decode_at(output_tokens)
        alone = np.take_along_axis(prefill.experts, self._order, axis=1)
        busiest = np.maximum.accumulate(np.pad(alone, ((0, 0), (1, 0))), axis=1)
        return RemoteRows(
            prefill=prefill.least_used,
            busiest=busiest,
            decode=decode.least_used,
            prompt_tokens=prompt_tokens,
            output_tokens=output_tokens,
        )

    def _candidates(self, worst: WorstCase, *, cold: bool) -> Candidates:
        counted = (
            layer_candidates(worst)
            if self._knobs.per_layer
            else share_candidates(worst, self._knobs.step)
        )
        return counted.with_cold_start(self._machine) if cold else counted

    def _memory(self, tokens: int) -> MainMemory:
        return MainMemory(
            architecture=self._architecture,
            offerings=self._machine.offerings,
            tokens=tokens,
            largest_function_floor=self._knobs.largest_function_floor,
        )

    def _value(
        self, candidates: Candidates, chosen: int, *, feasible: bool, memory: MainMemory
    ) -> Preallocation:
        counts = candidates.counts(chosen)
        remote = int(counts.sum())
        return Preallocation(
            remote_counts=tuple(counts.tolist()),
            remote_share=remote / self._architecture.expert_count,
            main_memory_bytes=memory.size(self._architecture.expert_count - remote),
            worst_ttft_seconds=float(candidates.ttft_seconds[chosen]),
            worst_tpot_seconds=float(candidates.tpot_seconds[chosen]),
            bound=self._knobs.bound,
            feasible=feasible,
        )


def preallocate(
    architecture: Architecture,
    routing: Routing,
    profile: HardwareProfile,
    offerings: Offerings,
    *,
    workload: Workload,
    slo: Slo,
    knobs: PreallocationKnobs | None = None,
) -> Preallocation:
    """MMP for the longest request of a workload; whoever asks often keeps a `Preallocator`.

    Raises:
        ValueError: the routing has another shape than the model.
    """
    allocator = Preallocator(
        architecture, routing, profile, offerings, confidence=slo.percentile, knobs=knobs
    )
    return allocator.allocate(
        slo,
        prompt_tokens=workload.max_prompt_tokens,
        output_tokens=workload.max_output_tokens,
        cold_probability=cold_probability(workload, offerings),
    )


def cold_probability(workload: Workload, offerings: Offerings) -> float:
    """That no request came while the main model would still have been awake."""
    keep = offerings.main_keep_alive_seconds
    return 0.0 if keep is None else math.exp(-workload.requests_per_second * keep)


def _check(prompt_tokens: int, output_tokens: int, cold_probability: float) -> None:
    for name, tokens in (("prompt_tokens", prompt_tokens), ("output_tokens", output_tokens)):
        if tokens < 1:
            raise ValueError(f"{name} must be >= 1, got {tokens}")
    if not 0 <= cold_probability <= 1:
        raise ValueError(f"cold_probability must be in 0..1, got {cold_probability}")
