"""A layer's time in prefill (eqs. 1 to 3): local experts one by one, each replica's one by one."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remoe_planner.hardware.profile import HardwareProfile


def module_seconds(profile: HardwareProfile, prompt_tokens: int, layers: int) -> float:
    """All layers without their routed experts, in chunks, and what a pass takes beside them."""
    chunks, rest = divmod(prompt_tokens, profile.prefill_chunk)
    sizes = [profile.prefill_chunk] * chunks + ([rest] if rest else [])
    alone = sum(float(profile.module.at(rows) + 2 * profile.handover.at(rows)) for rows in sizes)
    context = profile.context_seconds * prompt_tokens * (prompt_tokens - 1) / 2
    return layers * (alone + context) + sum(float(profile.step.at(rows)) for rows in sizes)


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


def local_seconds(profile: HardwareProfile, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Time of each expert's rows beside the main model."""
    return expected_expert_seconds(profile.local_expert.seconds, rows, profile.main_cores)


def expected_expert_seconds(
    seconds: _Seconds, rows: NDArray[np.float64], cores: ArrayLike
) -> NDArray[np.float64]:
    """Seconds of a random number of rows with this mean.

    An expert with few rows has none in many requests; what it takes then is the chance that it is
    hit at all, times the time of the rows it has when it is (Poisson).
    """
    hit = -np.expm1(-rows)
    given = np.divide(rows, hit, out=np.ones_like(rows), where=hit > 0)
    return hit * seconds(given, cores)


class _Seconds(Protocol):
    def __call__(self, rows: ArrayLike, cores: ArrayLike) -> NDArray[np.float64]: ...
