"""A layer's time in one decode step (eq. 5), as an expectation over what the token's gate picks."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.latency.busiest import busiest_picks
from remoe_planner.latency.together import in_line, together


def remote_hits(remote_share: ArrayLike, top_k: int) -> NDArray[np.float64]:
    """Probability that r of a token's top-k experts are remote, [..., top_k + 1].

    The paper charges the mean of the hits and a call for each of them; what a layer waits for
    depends on whether there is any, so the whole distribution is needed. The picks count as
    independent draws; where every expert's own probability is known, `picks` is exact.

    Args:
        remote_share: [...], the share of the layer's assignments that fall on remote experts.
        top_k: experts each token visits in the layer.
    """
    share = np.clip(np.asarray(remote_share, np.float64), 0.0, 1.0)
    inside, outside = _powers(share, top_k), _powers(1 - share, top_k)
    ways = np.array([comb(top_k, r) for r in range(top_k + 1)], np.float64)
    return np.asarray(ways * np.moveaxis(inside * outside[::-1], 0, -1))


def _powers(base: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """[most + 1, ...], the powers from 0 on."""
    powers = np.ones((most + 1, *base.shape))
    for power in range(1, most + 1):
        powers[power] = powers[power - 1] * base
    return powers


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertSeconds:
    """Expected seconds of a layer's routed experts by what they are spent on, each [...].

    Attributes:
        local: computed beside the main model.
        wire: the main model's own work on calls.
        waiting: beyond both, until the last answer is there.
    """

    local: NDArray[np.float64]
    wire: NDArray[np.float64]
    waiting: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        return self.local + self.wire + self.waiting


def decode_expert_seconds(
    profile: HardwareProfile,
    *,
    row_bytes: int,
    hits: NDArray[np.float64],
    function_cores: ArrayLike,
    concentration: ArrayLike = 1.0,
    calls: ArrayLike = 1.0,
) -> ExpertSeconds:
    """Expected seconds of one layer's routed experts for one token.

    Args:
        profile: the machine.
        row_bytes: bytes of one token row (D).
        hits: [..., top_k + 1], probability that r of the token's experts are remote.
        function_cores: [...], cores of the functions that serve them.
        concentration: [...], the chance that two remote picks lie in the same function.
        calls: [...], functions called, where any is.
    """
    top_k = hits.shape[-1] - 1
    picked = np.arange(top_k + 1, dtype=np.float64)
    any_hit = picked > 0
    # As small as they are given: hits are by far the largest, and only weigh what follows.
    cores, called = (np.asarray(value, np.float64)[..., None] for value in (function_cores, calls))
    one = profile.local_expert.seconds(1.0, profile.main_cores)
    # Functions that share few cores wait for each other, however evenly the picks fall.
    shared = 1 + (picked - 1) * in_line(profile, 0.0)
    in_turn = np.maximum(busiest_picks(top_k, concentration), shared * any_hit)
    work = profile.remote_expert.seconds(1.0, cores) * in_turn
    call = any_hit * (profile.call.mean_seconds + 2 * row_bytes / profile.call.bytes_per_second)
    wire = any_hit * profile.call.main_seconds * called
    local = one * (top_k - picked)
    waiting = together(profile, local + wire, call + work) - local - wire
    return ExpertSeconds(
        local=_expected(hits, local),
        wire=_expected(hits, wire),
        waiting=_expected(hits, waiting),
    )


def _expected(hits: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over the last axis of values weighted by hits."""
    return np.asarray(np.einsum("...r,...r->...", hits, values))


def decode_layer_seconds(
    profile: HardwareProfile,
    *,
    top_k: int,
    row_bytes: int,
    remote_share: ArrayLike,
    function_cores: ArrayLike,
    concentration: ArrayLike = 1.0,
    calls: ArrayLike = 1.0,
    context_tokens: float = 0.0,
    hits: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Expected seconds of one layer for one token, [...].

    Local experts are computed while remote ones are called, as far as the profile's overlap goes.

    Args:
        profile: the machine.
        top_k: experts each token visits in the layer.
        row_bytes: bytes of one token row (D).
        remote_share: [...], share of the layer's assignments on remote experts.
        function_cores: [...], cores of the functions that serve them.
        concentration: [...], the chance that two remote picks lie in the same function
            (`busiest.meeting_chance`): 1 where one function serves the layer.
        calls: [...], functions called, where any is: 1 where one function serves the layer.
        context_tokens: tokens of the sequence so far.
        hits: [..., top_k + 1], probability of r remote picks, in place of independent draws.
    """
    share, cores, close, called = np.broadcast_arrays(
        *(
            np.asarray(value, np.float64)
            for value in (remote_share, function_cores, concentration, calls)
        )
    )
    experts = decode_expert_seconds(
        profile,
        row_bytes=row_bytes,
        hits=remote_hits(share, top_k) if hits is None else hits,
        function_cores=cores,
        concentration=close,
        calls=called,
    )
    fixed = float(profile.module.at(1.0)) + context_tokens * profile.context_seconds
    return experts.total + fixed + 2 * float(profile.handover.at(1.0))
