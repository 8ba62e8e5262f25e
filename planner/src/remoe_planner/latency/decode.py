"""A layer's time in one decode step (eq. 5), as an expectation over what the token's gate picks."""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remoe_planner.hardware.profile import HardwareProfile


def remote_hits(remote_share: ArrayLike, top_k: int) -> NDArray[np.float64]:
    """Probability that r of a token's top-k experts are remote, [..., top_k + 1].

    The paper charges the mean of the hits and a call for each of them; what a layer waits for
    depends on whether there is any, so the whole distribution is needed. The picks count as
    independent draws.

    Args:
        remote_share: [...], the share of the layer's assignments that fall on remote experts.
        top_k: experts each token visits in the layer.
    """
    share = np.clip(np.asarray(remote_share, np.float64), 0.0, 1.0)[..., None]
    hits = np.arange(top_k + 1)
    ways = np.array([comb(top_k, r) for r in range(top_k + 1)], np.float64)
    return np.asarray(ways * share**hits * (1 - share) ** (top_k - hits))


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
) -> NDArray[np.float64]:
    """Expected seconds of one layer for one token, [...].

    Local experts are computed while remote ones are called, unless both share the same cores.

    Args:
        profile: the machine.
        top_k: experts each token visits in the layer.
        row_bytes: bytes of one token row (D).
        remote_share: [...], share of the layer's assignments on remote experts.
        function_cores: [...], cores of the functions that serve them.
        concentration: [...], the chance that two remote picks lie in the same function: 1 where
            one function serves the layer, sum of squared shares where several do.
        calls: [...], functions called, where any is: 1 where one function serves the layer.
        context_tokens: tokens of the sequence so far.
    """
    share, cores, together, called = np.broadcast_arrays(
        *(
            np.asarray(value, np.float64)
            for value in (remote_share, function_cores, concentration, calls)
        )
    )
    hits = np.arange(top_k + 1, dtype=np.float64)
    any_hit = hits > 0
    one = profile.local_expert.seconds(1.0, profile.main_cores)
    there = profile.remote_expert.seconds(1.0, cores)[..., None]
    in_line = np.where(any_hit, 1 + (hits - 1) * together[..., None], 0.0)
    call = any_hit * (profile.call.mean_seconds + 2 * row_bytes / profile.call.bytes_per_second)
    dispatch = any_hit * profile.call.main_seconds * called[..., None]
    local, remote = one * (top_k - hits) + dispatch, call + there * in_line
    both = local + remote if profile.shared_cores else np.maximum(local, remote)
    experts = np.asarray((remote_hits(share, top_k) * both).sum(axis=-1))
    fixed = float(profile.module.at(1.0)) + context_tokens * profile.context_seconds
    return experts + fixed + 2 * float(profile.handover.at(top_k))
