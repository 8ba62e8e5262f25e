"""What each part of Remoe is worth: the same day without it.

    python tests/evaluation/ablations.py --data DATA --out docs/evaluation [--quick]

Two scenes: everything *warm* and only work paid for, where plans differ; and a service that is
asked *36 times an hour* and pays for all that is awake, where forecasts and starts do.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from evaluation.comparison import AT, keeps
from evaluation.playing import warm
from evaluation.point import CALL_USD, Load, Point
from evaluation.stage import arriving
from evaluation.sweep import QUICK_MODEL, options, tabled

from remoe_planner.billing import Billing
from remoe_simulator.contender import Waking
from remoe_simulator.contenders.ablations import Ablation, ablations

REQUESTS = 80
BELIEFS = {Ablation.FORECASTS: "mean"}
FURTHER_BELIEFS = {
    "without any knowledge of use": "uniform",
    "with an oracle's forecasts": "oracle",
}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Where parts are taken away; `warm` plays with everything awake."""

    name: str
    point: Point
    warm: bool = False


SCENES = (
    Scene(name="warm", point=Point(prompt_tokens=400, slo_multiple=1.25), warm=True),
    Scene(
        name="36 an hour",
        point=Point(
            prompt_tokens=400,
            slo_multiple=1.25,
            billing=Billing.AWAKE,
            load=Load(name="36 an hour", requests_per_second=1 / 100),
            call_usd=CALL_USD,
        ),
    ),
)


def rows_of(stage, quick):
    found = []
    for scene in SCENES:
        setting = stage.setting(scene.point)
        count = 4 if quick else REQUESTS // (4 if scene.warm else 1)
        arrivals = arriving(count, scene.point, stage.seed)
        played = [
            (name, one, _day(stage, scene, one, arrivals, belief))
            for name, one, belief in entrants(setting, scene)
        ]
        found.extend(_row(stage, scene, setting, *each, played[0][2]) for each in played)
    return found


def entrants(setting, scene):
    """Everybody with what is believed of requests; beliefs play no part where nothing sleeps."""
    several = ablations(setting)
    for one in several:
        if not (scene.warm and one.name in (Ablation.FORECASTS, Ablation.PRE_WARMING)):
            yield str(one.name), one, BELIEFS.get(one.name, "ours")
    if not scene.warm:
        for name, belief in FURTHER_BELIEFS.items():
            yield name, several[0], belief


def _day(stage, scene, one, arrivals, belief):
    played = warm(one) if scene.warm else one
    asks = played.waking is Waking.FORECAST and bool(played.plan.functions)
    return stage.day(played, arrivals, belief=belief if asks else None)


def _row(stage, scene, setting, name, one, day, whole):
    paid, all_paid = _paid(scene, day), _paid(scene, whole)
    return {
        **stage.about,
        "scene": scene.name,
        "ablation": name,
        "busy_usd_per_million_tokens": day.per_million_tokens(day.busy),
        "awake_usd_per_million_tokens": (None if scene.warm else day.per_million_tokens(day.awake)),
        "ttft_p50_seconds": day.ttft_seconds(0.5),
        "ttft_p95_seconds": day.ttft_seconds(AT),
        "tpot_p50_seconds": day.tpot_seconds(0.5),
        "tpot_p95_seconds": day.tpot_seconds(AT),
        "inside_slo_share": day.share_inside(setting.slo),
        "slo_ttft_seconds": setting.slo.ttft_seconds,
        "slo_tpot_seconds": setting.slo.tpot_seconds,
        "cost_over_ours": paid / all_paid,
        "keeps_slo": keeps(day, setting.slo),
        "function_starts": day.function_starts,
        "early_starts": day.early_starts,
        "early_used": day.early_used,
        "functions": len(one.plan.functions),
        "remote_share": one.plan.remote_share,
        "note": one.note,
    }


def _paid(scene, day):
    return (day.busy if scene.warm else day.awake).cost


def main():
    found = options(__doc__.split("\n")[0], models=(QUICK_MODEL, "qwen3-30b-a3b"))
    tabled(
        found,
        "ablations",
        rows_of,
        inputs=(
            f"{REQUESTS} requests of 400:200 tokens (warm: {REQUESTS // 4}, one by one), from "
            "routing/dsv2lite_puffin, test side; forecasts and plans from the other side"
        ),
        note=(
            "c_g/c_c 3, promises of 1.25 times MIX's under the same load. An idle main model "
            "stays 300 s, an idle function 60 s. Costs are compared as each scene pays."
        ),
    )


if __name__ == "__main__":
    main()
