"""What calls of functions take, and how much of them hides behind local work."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from remoe_functions.profiling.answered import Answered
from remoe_functions.profiling.typical import Typical
from remoe_planner.estimating.decoding import row_bytes_of
from remoe_planner.estimating.demanded import picks_of
from remoe_planner.estimating.placed import Placed
from remoe_planner.hardware.profile import CallTime, HardwareProfile
from remoe_planner.latency.decode import decode_expert_seconds
from remoe_planner.offerings import Offerings
from remoe_planner.plan import Plan

_MOST_BYTES_PER_SECOND = 1e11
# The 95th percentile of a normal spread lies so many deviations above its middle.
_DEVIATIONS_AT_95 = 1.645


def call_time(all_remote: Typical, row_bytes: int) -> CallTime:
    """A warm call, from a session in which every expert was called for.

    There the main model has nothing to do but to send, wait and join.
    """
    short = all_remote.steps[min(all_remote.steps)]
    calls = max(short.calls, 1.0)
    travel = 2 * row_bytes / _MOST_BYTES_PER_SECOND
    mean = max(_beside_work(short) / calls - travel, 0.0)
    gaps = np.array(short.token_seconds)
    spread = float(np.quantile(gaps, 0.95) - np.quantile(gaps, 0.5)) / _DEVIATIONS_AT_95
    return CallTime(
        mean_seconds=mean,
        deviation_seconds=max(spread, 0.0) / np.sqrt(calls / short.steps),
        main_seconds=min(short.parts["wire"] / calls, mean),
        bytes_per_second=_rate(all_remote, mean, row_bytes),
    )


def overlap(profile: HardwareProfile, mixed: Typical, plan: Plan) -> float:
    """How much of the shorter of local and remote work was hidden where both were at work."""
    short = mixed.steps[min(mixed.steps)]
    placed = Placed.of(plan, Offerings())
    picks = picks_of(placed, short.decode / short.steps)
    taken = sum(short.parts[part] for part in ("local_experts", "wire", "waiting")) / short.steps
    none, whole = (
        float(
            decode_expert_seconds(
                replace(profile, overlap=share),
                row_bytes=row_bytes_of(placed),
                hits=picks.hits,
                function_cores=1.0,
                concentration=picks.concentration,
                calls=picks.calls,
            ).total.sum()
        )
        for share in (0.0, 1.0)
    )
    return float(np.clip((none - taken) / max(none - whole, 1e-12), 0.0, 1.0))


def _beside_work(answer: Answered) -> float:
    """Seconds of an answer's calls in which no function worked on them."""
    return max(answer.parts["wire"] + answer.parts["waiting"] - answer.busy_seconds, 0.0)


def _rate(typical: Typical, mean_seconds: float, row_bytes: int) -> float:
    """Bytes per second that rows travel with, there and back, from calls of many rows."""
    sent = seconds = 0.0
    for rows, answer in typical.prompts.items():
        sent += 2 * rows * row_bytes * len(answer.prefill)
        seconds += _beside_work(answer) - answer.calls * mean_seconds
    return _MOST_BYTES_PER_SECOND if seconds <= 0 else min(sent / seconds, _MOST_BYTES_PER_SECOND)
