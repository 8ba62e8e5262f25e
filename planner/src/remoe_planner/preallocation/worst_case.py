"""How long every layer takes at worst, for every number of its experts that may be remote.

Which of these numbers is taken is not said here. A call's time is the profile's mean as printed,
or its sum over the request at the bound's confidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remoe_planner.architecture import Architecture
from remoe_planner.hardware.curve import Curve
from remoe_planner.hardware.expert_time import ExpertTime
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.latency.decode import decode_layer_seconds
from remoe_planner.latency.prefill import module_seconds
from remoe_planner.latency.together import together
from remoe_planner.offerings import Offerings

BYTES_PER_VALUE = 2  # a token row in half precision (the paper's D)


class LatencyModel(StrEnum):
    """What the worst case is made of."""

    PRINTED = "printed"
    """The remote path alone, one replica, a call for each remote hit of a decode step (eq. 5)."""

    OVERLAPPED = "overlapped"
    """Local and remote side by side, replicas by Theorem 4, one call for a layer that needs any."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RemoteRows:
    """At most what a request asks of the m least used experts of each layer.

    Attributes:
        prefill: [layers, experts + 1] assignments of the prompt.
        busiest: [layers, experts + 1] of them at the busiest single expert of the set.
        decode: [layers, experts + 1] assignments of the whole answer.
        prompt_tokens: of the request.
        output_tokens: of its answer.
    """

    prefill: NDArray[np.float64]
    busiest: NDArray[np.float64]
    decode: NDArray[np.float64]
    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WorstCase:
    """Seconds at worst.

    Attributes:
        prefill: [layers, experts + 1] of each layer's experts, for every number of remote ones.
        decode: the same for one token of the answer.
        prefill_beside: of the prompt, beside the experts.
        decode_beside: of one token, beside what the layers take.
    """

    prefill: NDArray[np.float64]
    decode: NDArray[np.float64]
    prefill_beside: float
    decode_beside: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the worst case is computed on.

    Attributes:
        architecture: the model.
        profile: how long its modules take.
        offerings: what can be rented; functions count as the largest of them.
        confidence: of the sum of the calls' times.
        local: one expert beside the main model, by rows.
        remote: one expert in a function.
    """

    architecture: Architecture
    profile: HardwareProfile
    offerings: Offerings
    confidence: float
    local: Curve
    remote: Curve

    @classmethod
    def of(
        cls,
        architecture: Architecture,
        profile: HardwareProfile,
        offerings: Offerings,
        confidence: float,
    ) -> Self:
        """With the experts' times at the cores that they have."""
        cores = float(offerings.function_cores(offerings.function_memory.largest_bytes))
        return cls(
            architecture=architecture,
            profile=profile,
            offerings=offerings,
            confidence=confidence,
            local=_by_rows(profile.local_expert, profile.main_cores),
            remote=_by_rows(profile.remote_expert, cores),
        )

    @property
    def row_bytes(self) -> int:
        return self.architecture.hidden_size * BYTES_PER_VALUE

    @property
    def function_cores(self) -> float:
        return float(self.offerings.function_cores(self.offerings.function_memory.largest_bytes))

    @property
    def travel_seconds(self) -> float:
        """A row's way there and back (2 D / B)."""
        return 2 * self.row_bytes / self.profile.call.bytes_per_second

    @property
    def replicas(self) -> int:
        """Replicas that are faster together than alone."""
        cores = self.profile.function_cores
        most = self.offerings.max_replicas
        return most if cores is None else max(min(most, int(cores)), 1)

    def remote_seconds(
        self, rows: ArrayLike, experts: ArrayLike, chunks: float
    ) -> NDArray[np.float64]:
        """Rows at so many remote experts of a layer, one after the other, transport included."""
        work = spread_seconds(self.remote, rows, experts, chunks)
        return np.asarray(work + np.asarray(rows) * self.travel_seconds)

    def call_seconds(self, calls: float, layers: int) -> float:
        """One layer's share of what so many calls in each of these layers take together."""
        sure = max(NormalDist().inv_cdf(self.confidence), 0.0)
        spread = sure * self.profile.call.deviation_seconds * math.sqrt(calls / layers)
        return calls * self.profile.call.mean_seconds + spread


def worst_case(machine: Machine, rows: RemoteRows, model: LatencyModel) -> WorstCase:
    """The worst case of a request under one of the models."""
    prefill = _printed_prefill if model is LatencyModel.PRINTED else _overlapped_prefill
    decode = _printed_decode if model is LatencyModel.PRINTED else _overlapped_decode
    layers = len(machine.architecture.layers)
    return WorstCase(
        prefill=prefill(machine, rows),
        decode=decode(machine, rows),
        prefill_beside=machine.profile.request_seconds
        + module_seconds(machine.profile, rows.prompt_tokens, layers),
        decode_beside=float(machine.profile.step.at(1.0)),
    )


def spread_seconds(
    time: Curve, rows: ArrayLike, experts: ArrayLike, chunks: float
) -> NDArray[np.float64]:
    """Rows spread evenly over experts and chunks, the slowest way where a first row costs most.

    (Jensen: the curve is concave, since an expert's weights are read once for all its rows.)
    """
    asked, among = np.broadcast_arrays(np.asarray(rows, float), np.asarray(experts, float))
    cells = np.maximum(among * chunks, 1.0)
    return np.asarray(np.where(among > 0, cells * time.at(asked / cells), 0.0))


def _by_rows(time: ExpertTime, cores: float) -> Curve:
    """The surface at one number of cores, fine enough to be straight between its points."""
    seconds = np.maximum.accumulate(time.seconds(_ROWS, cores))
    return Curve(rows=tuple(_ROWS.tolist()), seconds=tuple(seconds.tolist()))


_ROWS = np.geomspace(1, 1 << 17, 137)


def _chunks(machine: Machine, tokens: int) -> int:
    return max(math.ceil(tokens / machine.profile.prefill_chunk), 1)


def _sizes(rows: RemoteRows) -> NDArray[np.int64]:
    return np.arange(rows.prefill.shape[1])


def _printed_prefill(machine: Machine, rows: RemoteRows) -> NDArray[np.float64]:
    """T_rem + t_rem of each layer (eqs. 2, 3): one call of one replica."""
    sizes, chunks = _sizes(rows), _chunks(machine, rows.prompt_tokens)
    work = machine.remote_seconds(rows.prefill, sizes, chunks)
    return work + np.where(sizes > 0, machine.profile.call.mean_seconds, 0.0)


def _printed_decode(machine: Machine, rows: RemoteRows) -> NDArray[np.float64]:
    """t_f + 2 tau_sw + hits (t_c + 2 D / B + t_rem) of each layer (eqs. 4, 5)."""
    profile = machine.profile
    there = float(machine.remote.at(1.0))
    hit = there + machine.travel_seconds + profile.call.mean_seconds
    beside = profile.module.at(1.0) + 2 * profile.handover.at(machine.architecture.top_k)
    return np.asarray(beside + rows.decode / max(rows.output_tokens, 1) * hit)


def _overlapped_prefill(machine: Machine, rows: RemoteRows) -> NDArray[np.float64]:
    """All rows local, or as many remote as the bound allows: whichever takes longer."""
    sizes, chunks = _sizes(rows), _chunks(machine, rows.prompt_tokens)
    total = float(rows.prompt_tokens * machine.architecture.top_k)
    remote = _balanced_replicas(machine, rows, chunks)
    all_local = _local_seconds(machine, np.where(sizes < sizes[-1], total, 0.0), sizes, chunks)
    rest = np.where(sizes < sizes[-1], np.maximum(total - rows.prefill, 0.0), 0.0)
    beside = _local_seconds(machine, rest, sizes, chunks)
    return np.maximum(all_local, together(machine.profile, beside, remote))


def _local_seconds(
    machine: Machine, rows: NDArray[np.float64], remote: NDArray[np.int64], chunks: int
) -> NDArray[np.float64]:
    profile = machine.profile
    experts = machine.architecture.experts_per_layer - remote
    dispatch = np.where(remote > 0, chunks * profile.call.main_seconds, 0.0)
    return np.asarray(spread_seconds(machine.local, rows, experts, chunks) + dispatch)


def _balanced_replicas(machine: Machine, rows: RemoteRows, chunks: int) -> NDArray[np.float64]:
    """(z - 1) / z of the longest task + T_rem / z + t_rem (Theorem 4), in calls of the payload."""
    sizes, replicas = _sizes(rows), machine.replicas
    work = machine.remote_seconds(rows.prefill, sizes, chunks)
    longest = machine.remote_seconds(rows.busiest, np.minimum(sizes, 1), chunks)
    slowest = np.minimum(work, (replicas - 1) / replicas * longest + work / replicas)
    payload = machine.offerings.payload_bytes
    parts = 1 if payload is None else _parts(rows.prefill * machine.row_bytes / replicas, payload)
    call = machine.call_seconds(chunks, len(machine.architecture.layers))
    return np.asarray(slowest + np.where(sizes > 0, call * parts, 0.0))


def _parts(sent_bytes: NDArray[np.float64], payload_bytes: int) -> NDArray[np.float64]:
    return np.maximum(np.ceil(sent_bytes / max(payload_bytes, 1)), 1.0)


def _overlapped_decode(machine: Machine, rows: RemoteRows) -> NDArray[np.float64]:
    """The expectation over a token's hits, at the share that the bound allows."""
    top_k, tokens = machine.architecture.top_k, max(rows.output_tokens, 1)
    shares = np.linspace(0.0, 1.0, _SHARES)
    seconds = decode_layer_seconds(
        machine.profile,
        top_k=top_k,
        row_bytes=machine.row_bytes,
        remote_share=shares,
        function_cores=machine.function_cores,
        context_tokens=rows.prompt_tokens + tokens / 2,
    )
    return np.asarray(np.interp(rows.decode / (tokens * top_k), shares, seconds))


_SHARES = 257
"""Points between which the seconds of a decode step are interpolated: they depend on one share."""
