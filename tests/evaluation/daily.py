"""Who serves a day, and what came of it as a row of a table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from evaluation.comparison import AT, made
from evaluation.point import Point

from remoe_planner.demand.slo import Slo
from remoe_simulator.contender import ContenderName, Waking
from remoe_simulator.contenders.resident import mixed
from remoe_simulator.contenders.standing import always_on
from remoe_simulator.simulate import simulate

TIMES = 1.5
TRIED = 300
"""Requests of the train side that tell what MIX keeps."""


@dataclass(kw_only=False, eq=False)
class Daily:
    """One day on one stage: `seconds` long, planned for by what `point` says of it."""

    stage: object
    name: str
    arrivals: object
    seconds: float
    point: Point
    _slo: Slo | None = field(default=None)

    @property
    def slo(self):
        """What everybody is measured by: of MIX that is always on."""
        if self._slo is None:
            self._slo = self.promise(always=True)
        return self._slo

    def promise(self, *, always):
        """1.5 times what MIX keeps for 95 % of other texts' requests, at the day's own times."""
        setting = self.setting(always=always, slo=Slo())
        some = self.arrivals.part(slice(0, TRIED))
        day = simulate(mixed(setting), self.stage.learned_requests(some), seed=self.stage.seed)
        return Slo(
            ttft_seconds=TIMES * day.ttft_seconds(AT), tpot_seconds=TIMES * day.tpot_seconds(AT)
        )

    def setting(self, *, always, slo):
        """With a main model that always stays, or as the load says."""
        load = self.point.load
        kept = replace(load, main_keep_alive_seconds=None) if always else load
        return replace(self.stage.setting(replace(self.point, load=kept)), slo=slo)

    def row(self, name, one):
        stage = self.stage
        row = {**stage.about, "day": self.name, "contender": name}
        if one is None:
            return row
        belief = "ours" if one.waking is Waking.FORECAST and one.plan.functions else None
        day = stage.day(one, self.arrivals, belief=belief, horizon_seconds=self.seconds)
        return row | {
            "requests": len(day.served),
            "awake_usd_per_million_tokens": day.per_million_tokens(day.awake),
            "busy_usd_per_million_tokens": day.per_million_tokens(day.busy),
            **_latencies(day),
            "inside_slo_share": day.share_inside(self.slo),
            "slo_ttft_seconds": self.slo.ttft_seconds,
            "slo_tpot_seconds": self.slo.tpot_seconds,
            "main_starts": day.main_starts,
            "function_starts": day.function_starts,
            "early_starts": day.early_starts,
            "early_used": day.early_used,
            "keep_alive_seconds": self.point.load.function_keep_alive_seconds,
            "main_keep_alive_seconds": one.main_keep_alive_seconds,
            "memory_mean_bytes": memory_mean(day),
            "functions": len(one.plan.functions),
            "remote_share": one.plan.remote_share,
            "note": one.note,
        }


def contenders_of(daily, names=None):
    """Each with its name; those that sleep are planned for first tokens as late as MIX's then."""
    always = daily.setting(always=True, slo=daily.slo)
    late = replace(daily.slo, ttft_seconds=daily.promise(always=False).ttft_seconds)
    sleeping = daily.setting(always=False, slo=late)
    entrants = {
        "CPU, always on": (always, ContenderName.CPU),
        "GPU, always on": (always, ContenderName.GPU),
        "MIX, always on": (always, ContenderName.MIX),
        "Remoe, always on": (always, ContenderName.OURS),
        "MIX, scale to zero": (sleeping, ContenderName.MIX),
        "function per layer": (sleeping, ContenderName.PER_LAYER),
        "Remoe as printed": (sleeping, ContenderName.PRINTED),
        "Remoe, without forecasts": (sleeping, ContenderName.OURS),
        "Remoe, main always on": (always, ContenderName.OURS),
        "Remoe": (sleeping, ContenderName.OURS),
    }
    for name, (setting, maker) in entrants.items():
        if names is None or name in names:
            one, _ = made(setting, maker)
            yield name, _dressed(name, one)


def _dressed(name, one):
    if one is None:
        return None
    if name == "Remoe, always on":
        return always_on(one)
    if name == "Remoe, without forecasts":
        return replace(one, waking=Waking.WHEN_CALLED)
    return one


def _latencies(day):
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {f"ttft_{n}_seconds": day.ttft_seconds(s) for n, s in shares.items()} | {
        f"tpot_{n}_seconds": day.tpot_seconds(s) for n, s in shares.items()
    }


def memory_mean(day):
    """Over the day's length, of everything that was awake."""
    ends = [change.at_seconds for change in day.timeline[1:]] + [day.seconds]
    held = sum(
        change.memory_bytes * max(end - change.at_seconds, 0.0)
        for change, end in zip(day.timeline, ends, strict=True)
    )
    return held / day.seconds if day.seconds else 0.0
