"""Contenders that need a GPU, which this machine has not: the same prompts on a stated profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import mean
from typing import Any

from evaluation.measured_plans import MAIN_KEEP_ALIVE_SECONDS, Ground
from evaluation.measured_routing import Routed
from evaluation.measured_simulated import simulated

from remoe_planner.demand.slo import Slo
from remoe_simulator.contender import Contender, ContenderName
from remoe_simulator.contenders.all_contenders import contenders
from remoe_simulator.contenders.setting import Setting
from remoe_simulator.day import Day
from remoe_simulator.machines import MeasuredMachine

STATED = (ContenderName.GPU, ContenderName.MIX, ContenderName.FETCH)


def stated_rows(
    ground: Ground, run: Mapping[str, Any], routed: Sequence[Routed], slo: Slo
) -> list[dict[str, object]]:
    """Rows of the table of contenders; asked as the first one was."""
    setting = Setting(
        architecture=ground.architecture,
        machine=MeasuredMachine(profile=ground.profile),
        slo=slo,
        **{name: ground.given[name] for name in ("routing", "workload", "offerings")},
    )
    found = contenders(setting, STATED)
    sleeping = (replace(one, main_keep_alive_seconds=MAIN_KEEP_ALIVE_SECONDS) for one in found)
    return [_row(one, simulated(one, run, routed, None), slo) for one in sleeping]


def _row(contender: Contender, day: Day, slo: Slo) -> dict[str, object]:
    served, plan = len(day.served), contender.plan
    kept = [one.keeps(slo) for one in day.served]
    return {
        "contender": str(contender.name),
        "ran": False,
        "profile": "stated",
        "requests": served,
        "slo_ttft_seconds": slo.ttft_seconds,
        "slo_tpot_seconds": slo.tpot_seconds,
        "inside_slo_share": mean(kept),
        "slo_violations": served - sum(kept),
        "ttft_p50_seconds": day.ttft_seconds(0.5),
        "ttft_p95_seconds": day.ttft_seconds(0.95),
        "tpot_p50_seconds": day.tpot_seconds(0.5),
        "tpot_p95_seconds": day.tpot_seconds(0.95),
        "tokens_per_second": 1 / day.tpot_seconds(0.5),
        "output_tokens_mean": mean(one.output_tokens for one in day.served),
        "busy_usd_per_request": day.busy.cost / served,
        "awake_usd_per_request": day.awake.cost / served,
        "planned_bytes": plan.main_memory_bytes + plan.main_gpu_bytes,
        "functions": 0,
        "main_starts": day.main_starts,
        "main_keep_alive_seconds": MAIN_KEEP_ALIVE_SECONDS,
        "note": f"Simulated on {contender.profile.title}, with the same prompts' true routing. "
        f"{contender.note}".strip(),
    }
