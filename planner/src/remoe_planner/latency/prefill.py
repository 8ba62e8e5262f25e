"""A layer's time in prefill (eqs. 1 to 3): local experts one by one, each replica's one by one."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remoe_planner.hardware.profile import HardwareProfile


def module_seconds(profile: HardwareProfile, prompt_tokens: int, layers: int) -> float:
    """All layers without their routed experts, in chunks, and what a pass takes beside them."""
    sizes = np.array(chunk_sizes(profile, prompt_tokens), np.float64)
    alone = float((profile.module.at(sizes) + 2 * profile.handover.at(sizes)).sum())
    return layers * (alone + context_seconds(profile, prompt_tokens)) + pass_seconds(
        profile, prompt_tokens
    )


def pass_seconds(profile: HardwareProfile, prompt_tokens: int) -> float:
    """What a prompt's passes take outside of the layers."""
    return float(profile.step.at(chunk_sizes(profile, prompt_tokens)).sum())


def context_seconds(profile: HardwareProfile, prompt_tokens: int) -> float:
    """One layer's attention of a prompt's rows to the chunks before theirs.

    What the rows of one chunk have to do with each other is in the module's own curve.
    """
    sizes = np.array(chunk_sizes(profile, prompt_tokens), np.float64)
    before = np.cumsum(sizes) - sizes
    return profile.prefill_context_seconds * float((sizes * before).sum())


def chunk_sizes(profile: HardwareProfile, prompt_tokens: int) -> list[int]:
    """Rows of each pass of a prompt."""
    chunks, rest = divmod(prompt_tokens, profile.prefill_chunk)
    return [profile.prefill_chunk] * chunks + ([rest] if rest else [])


def chunk_expert_rows(
    visits: NDArray[np.float64], prompt_tokens: int, chunk: int
) -> tuple[NDArray[np.float64], float]:
    """Expected rows of each expert in one full chunk, and how many chunks there are.

    An expert that is picked twice in a chunk reads its weights once, so chunks matter. A rest
    counts as that share of a chunk.
    """
    rows = min(prompt_tokens, chunk)
    return visits * rows, prompt_tokens / rows


def task_seconds(
    profile: HardwareProfile, rows: NDArray[np.float64], *, cores: ArrayLike, row_bytes: int
) -> NDArray[np.float64]:
    """Time of each expert's rows in a replica, transport included: the tasks of LPT."""
    travel = 2 * rows * row_bytes / profile.call.bytes_per_second
    return np.asarray(expected_expert_seconds(profile.remote_expert.seconds, rows, cores) + travel)


def local_seconds(
    profile: HardwareProfile, rows: NDArray[np.float64], tokens: float | None = None
) -> NDArray[np.float64]:
    """Time of each expert's rows beside the main model."""
    seconds = profile.local_expert.near(profile.main_cores).seconds
    return expected_expert_seconds(seconds, rows, profile.main_cores, tokens)


def expected_expert_seconds(
    seconds: _Seconds,
    rows: NDArray[np.float64],
    cores: ArrayLike,
    tokens: float | None = None,
) -> NDArray[np.float64]:
    """Seconds of a random number of rows with this mean.

    An expert with few rows has none in many requests; what it takes then is the chance that it is
    hit at all, times the time of the rows it has when it is.

    Args:
        seconds: of an expert by rows and cores.
        rows: expected rows of each expert.
        cores: of whoever computes them.
        tokens: how many tokens the rows come from, each at most one row of an expert; None for
            many, of which hardly any picks this expert (Poisson).
    """
    hit, given = hit_and_rows(rows, tokens)
    return hit * seconds(given, cores)


def hit_and_rows(
    rows: NDArray[np.float64], tokens: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The chance that an expert is hit, and the rows it has when it is; arguments as above."""
    if tokens is None:
        hit = -np.expm1(-rows)
    else:
        missed = np.log1p(-np.minimum(rows / tokens, _CERTAIN))
        hit = -np.expm1(tokens * missed)
    return hit, np.divide(rows, hit, out=np.ones_like(rows), where=hit > 0)


_CERTAIN = 1 - 1e-12


class _Seconds(Protocol):
    def __call__(self, rows: ArrayLike, cores: ArrayLike) -> NDArray[np.float64]: ...
