"""Contenders at one point, as rows of a table: what they cost, whether they keep the promise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from evaluation.playing import warm

from remoe_simulator.contender import ContenderName
from remoe_simulator.contenders.all_contenders import MAKERS
from remoe_simulator.contenders.planned import NO_GPU, ours_without_gpu
from remoe_simulator.contenders.resident import FUSED_GPU, fused_on_gpu
from remoe_simulator.contenders.setting import Sizing

AT = 0.95
"""Share of the requests that a latency in a table is kept for."""
SMALLEST = "smallest memory"
FURTHER = (
    NO_GPU,
    FUSED_GPU,
    f"{ContenderName.PER_EXPERT}, {SMALLEST}",
    f"{ContenderName.PER_LAYER}, {SMALLEST}",
)
"""Kinder and harsher readings of some, beside them."""
VARIANTS = {NO_GPU: ours_without_gpu, FUSED_GPU: fused_on_gpu}
EVERYBODY = (*map(str, ContenderName), *FURTHER)


def compared(stage, point, arrivals, names: Iterable[str] = EVERYBODY):
    """A row for each contender, in their order, everything warm."""
    setting = stage.setting(point)
    several = list(entrants(setting, names))
    days = {name: stage.day(warm(one), arrivals) for name, one, _ in several if one is not None}
    ours = cost(days.get(str(ContenderName.OURS)))
    return [
        _row(point, setting, name, one, days.get(name), ours, note) for name, one, note in several
    ]


def entrants(setting, names: Iterable[str]) -> Iterator[tuple[str, object, str]]:
    """Name, contender and what must be known of it; None for one that cannot be."""
    for name in map(str, names):
        base, _, reading = name.partition(", ")
        changed = setting
        if reading == SMALLEST:
            changed = replace(setting, sizing=Sizing.SMALLEST)
        maker = VARIANTS.get(name) or MAKERS[ContenderName(base)]
        yield name, *_made(changed, maker)


def made(setting, name):
    """The contender and its note, or None and why there is none."""
    return _made(setting, MAKERS[name])


def _made(setting, maker):
    try:
        one = maker(setting)
    except ValueError as error:
        return None, f"Nothing that it could rent is on offer: {error}"
    return one, one.note


def cost(day):
    """Of a request, only work paid for."""
    return day.busy.cost / len(day.served) if day is not None and day.served else None


def keeps(day, slo):
    return bool(day.share_inside(slo) >= AT)


def _row(point, setting, name, one, day, ours, note):
    slo = setting.slo
    row = {
        "prompt_tokens": point.prompt_tokens,
        "output_tokens": point.output_tokens,
        "price_ratio": point.price_ratio,
        "slo_multiple": point.slo_multiple,
        "slo_ttft_seconds": slo.ttft_seconds,
        "slo_tpot_seconds": slo.tpot_seconds,
        "contender": name,
    }
    if day is None:
        return row | {"note": note}
    plan, spent = one.plan, cost(day)
    return row | {
        "usd_per_request": spent,
        "usd_per_million_tokens": day.per_million_tokens(day.busy),
        "ttft_seconds": day.ttft_seconds(AT),
        "tpot_seconds": day.tpot_seconds(AT),
        "keeps_slo": keeps(day, slo),
        "cost_over_ours": spent / ours if ours else None,
        "main_bytes": plan.main_memory_bytes,
        "gpu_bytes": plan.main_gpu_bytes,
        "functions_bytes": sum(f.memory_bytes * f.max_replicas for f in plan.functions),
        "functions": len(plan.functions),
        "remote_share": plan.remote_share,
        "estimated_tpot_seconds": plan.estimate.latency.tpot_at_percentile_seconds,
        "note": note,
    }
