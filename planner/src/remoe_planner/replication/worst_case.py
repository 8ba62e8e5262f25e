"""Theorem 4: how long the longest replica can take, whatever LPT's partition turns out to be."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def longest_replica_bound(
    *,
    total_seconds: ArrayLike,
    largest_task_seconds: ArrayLike,
    replicas: ArrayLike,
    call_seconds: ArrayLike,
) -> NDArray[np.float64]:
    """max_j ZT_j <= (z - 1)/z * largest task + total / z + t_rem.

    Args:
        total_seconds: all tasks of the layer, transport included (T_rem).
        largest_task_seconds: an upper bound of one task: an expert with the Theorem-1 bound of
            the prompt's tokens.
        replicas: z, >= 1.
        call_seconds: overhead of the warm call (t_rem).
    """
    z = np.asarray(replicas, np.float64)
    largest = np.asarray(largest_task_seconds, np.float64)
    spread = np.minimum((z - 1) / z * largest + np.asarray(total_seconds) / z, total_seconds)
    return np.asarray(spread + np.asarray(call_seconds, np.float64))
