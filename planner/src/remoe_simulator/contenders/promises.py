"""Promises that say something at any scale: as multiples of what MIX reaches."""

from __future__ import annotations

from dataclasses import replace

from remoe_planner.demand.slo import Slo
from remoe_planner.estimate import LatencyEstimate
from remoe_simulator.contenders.resident import mixed
from remoe_simulator.contenders.setting import Setting


def latency_of_mix(setting: Setting) -> LatencyEstimate:
    """What MIX is expected to reach; the setting's own promises are not looked at."""
    plan = mixed(setting).plan
    if plan.estimate is None:
        raise ValueError("MIX was made without an estimate")
    return plan.estimate.latency


def with_promises(
    setting: Setting, *, ttft: float | None = None, tpot: float | None = None
) -> Setting:
    """The setting with promises of so many times MIX's latency at the SLO's percentile.

    Args:
        setting: what is served.
        ttft: multiple of MIX's time to first token; None promises none.
        tpot: the same of its time per output token.

    Raises:
        ValueError: a multiple is not > 0.
    """
    for name, factor in (("ttft", ttft), ("tpot", tpot)):
        if factor is not None and not factor > 0:
            raise ValueError(f"{name} must be > 0 times MIX's, got {factor}")
    had = latency_of_mix(setting)
    slo = Slo(
        ttft_seconds=None if ttft is None else ttft * had.ttft_at_percentile_seconds * ROOM,
        tpot_seconds=None if tpot is None else tpot * had.tpot_at_percentile_seconds * ROOM,
        percentile=setting.slo.percentile,
    )
    return replace(setting, slo=slo)


ROOM = 1 + 1e-6
"""So that MIX itself keeps once its own latency whatever is rounded."""
