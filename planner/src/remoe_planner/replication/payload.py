"""The fewest replicas whose calls stay inside what one call may carry."""

from __future__ import annotations

from collections.abc import Sequence

from remoe_planner.replication.lpt import lpt


def fewest_replicas(
    seconds: Sequence[float],
    payload_bytes: Sequence[float],
    *,
    limit_bytes: float | None,
    most: int,
) -> int | None:
    """The smallest number of replicas for which LPT keeps each one's rows within the limit.

    Args:
        seconds: [tasks], by which LPT partitions.
        payload_bytes: [tasks], bytes of token rows that go to each.
        limit_bytes: bytes of one call at most (U_payload); None for no bound.
        most: replicas at most (z_max).

    Returns:
        A number in 1..most, or None where even the most are not enough.
    """
    if limit_bytes is None:
        return 1
    for replicas in range(1, most + 1):
        parts = lpt(seconds, replicas)
        if all(sum(payload_bytes[task] for task in part) <= limit_bytes for part in parts):
            return replicas
    return None
