"""The tables of section 2, from what was seen of each contender."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from evaluation.measured_cold_start import cold_rows
from evaluation.measured_plans import MAIN_KEEP_ALIVE_SECONDS, Served
from evaluation.table import write_table

from remoe_planner.bill import FunctionUse, Usage, bill
from remoe_planner.demand.slo import Slo
from remoe_planner.memory import GIB
from remoe_planner.prices import DEFAULT_PRICES, Prices
from remoe_simulator.contender import ContenderName

MOST_SAMPLES = 400
Run = Mapping[str, Any]
Row = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What all of the tables come from."""

    slo: Slo
    profile: str
    command: str
    inputs: str
    seed: int
    quick: bool
    prices: Prices = DEFAULT_PRICES


def write_tables(
    out: Path,
    facts: Facts,
    served: Sequence[tuple[Served, Run]],
    rivals: Sequence[Run],
    stated: Sequence[Row],
) -> None:
    """All four; contenders in the order of their names, what was not run among them."""
    everyone = [run for _, run in served] + list(rivals)
    same = {name: f" {words}" for name, words in same_answers(everyone).items()}
    tables: dict[str, list[Row]] = {
        "measured": [
            *in_order(
                [service_row(one, run, facts, same.get(one.name, "")) for one, run in served],
                stated,
            ),
            *(rival_row(run, facts, same.get(run["name"], "")) for run in rivals),
        ],
        "measured_requests": [
            *(row for one, run in served for row in request_rows(one, run, facts)),
            *(row for run in rivals for row in rival_request_rows(run, facts)),
        ],
        "measured_timeline": [row for run in everyone for row in timeline_rows(run)],
        "cold_start": [row for _, run in served for row in cold_rows(run)],
    }
    for name, rows in tables.items():
        write_table(out, name, rows, **_written(facts, sum(run["seconds"] for run in everyone)))


def in_order(measured: Iterable[Row], stated: Iterable[Row]) -> list[Row]:
    """Rows as tables list contenders, variants after what they are variants of."""
    places = {str(name): place for place, name in enumerate(ContenderName)}
    return sorted([*measured, *stated], key=lambda row: places[_family(row)])


def service_row(contender: Served, run: Run, facts: Facts, more: str) -> Row:
    """A service of ours: the gateway's bills, and every second that its parts were there."""
    requests, plan = run["requests"], contender.plan
    functions = [function.name for function in plan.functions]
    return (
        _latencies(run, facts)
        | {
            "busy_usd_per_request": mean(one["account"]["cost"] for one in requests),
            "awake_usd_per_request": awake_usd(contender, run, facts.prices) / len(requests),
            "planned_bytes": plan.main_memory_bytes + sum(f.memory_bytes for f in plan.functions),
            "functions": len(functions),
            "functions_awake_mean": mean(s["functions_awake"] for s in run["timeline"]),
            "function_starts": sum(run["wakes"].get(name, 0) for name in functions),
            "main_starts": run["wakes"].get("main", 0),
            "keep_alive_seconds": plan.functions[0].keep_alive_seconds if functions else None,
        }
        | forecast_shares(contender, run)
        | {"note": f"{contender.note}{more}".strip()}
    )


def rival_row(run: Run, facts: Facts, more: str) -> Row:
    """A rival: its resident memory, while it works, and awake in the rests as well."""
    peak = max(sample["memory_bytes"] for sample in run["timeline"])
    busy = _usd(peak, sum(one["elapsed_seconds"] for one in run["requests"]), facts)
    note = (
        f"{run['settings']}. Billed for its resident memory, {peak / GIB:.2f} GiB, at the main "
        "model's price; it never sleeps, and is asked without rests, so awake is busy."
    )
    if len(run["requests"]) < 50:
        note += f" The first {len(run['requests'])} prompts."
    return (
        _latencies(run, facts)
        | {
            "busy_usd_per_request": busy / len(run["requests"]),
            "awake_usd_per_request": _usd(peak, run["seconds"], facts) / len(run["requests"]),
            "planned_bytes": peak,
            "functions": 0,
        }
        | {"note": note + more}
    )


def awake_usd(contender: Served, run: Run, prices: Prices) -> float:
    """Every second of every replica, from start to stop."""
    awake, plan = run["awake_seconds"], contender.plan
    usage = Usage(
        main_seconds=awake.get("main", 0.0),
        functions={f.name: FunctionUse(seconds=awake.get(f.name, 0.0)) for f in plan.functions},
    )
    return bill(usage, plan, prices).cost


def forecast_shares(contender: Served, run: Run) -> Row:
    """How functions were found when first called, and whether woken ones were called."""
    if not contender.forecasts or not contender.plan.functions:
        return {"forecast_hit_share": None, "forecast_used_share": None}
    needed = {
        how: run["counts"].get(f"remoe:functions_needed_total {how}", 0.0)
        for how in ("awake", "woken", "asleep")
    }
    judged = {
        used: run["counts"].get(f"remoe:wakes_judged_total {used}", 0.0) for used in ("yes", "no")
    }
    return {
        "forecast_hit_share": _share(needed["awake"] + needed["woken"], sum(needed.values())),
        "forecast_used_share": _share(judged["yes"], sum(judged.values())),
    }


def request_rows(contender: Served, run: Run, facts: Facts) -> Iterable[Row]:
    for one in run["requests"]:
        account, there = one["account"], set(one["functions_there"])
        called = {n for n, use in account["functions"].items() if use["calls"] > 0}
        early = set(account["functions_woken"]) if contender.forecasts else set()
        yield (
            _request(run["name"], one, facts)
            | {
                "busy_usd": account["cost"],
                "main_asleep": one["main_asleep"],
                "functions_asleep": bool(called - there),
                "functions_called": len(called),
                "functions_forecast": len(account["functions_forecast"]),
                "functions_hit": len(called & (there | early)),
                "borrowed_experts": account["placements"]["fallback"],
                "rested": one["rested"],
                "remote_pairs": account["placements"]["remote"],
                "local_pairs": account["placements"]["local"],
                "divergence": (account.get("forecast") or {}).get("divergence"),
            }
        )


def rival_request_rows(run: Run, facts: Facts) -> Iterable[Row]:
    peak = max(sample["memory_bytes"] for sample in run["timeline"])
    for one in run["requests"]:
        busy = {"busy_usd": _usd(peak, one["elapsed_seconds"], facts), "main_asleep": False}
        yield _request(run["name"], one, facts) | busy


def timeline_rows(run: Run) -> Iterable[Row]:
    samples = run["timeline"]
    for sample in samples[:: max(1, -(-len(samples) // MOST_SAMPLES))]:
        yield {
            "contender": run["name"],
            "at_seconds": sample["at"] - run["began"],
            "memory_bytes": sample["memory_bytes"],
            "main_memory_bytes": sample.get("main_memory_bytes"),
            "functions_memory_bytes": sample.get("functions_memory_bytes"),
            "functions_awake": sample.get("functions_awake", 0),
            "main_awake": sample.get("main_awake", True),
            "resident_bytes": sample.get("resident_bytes"),
            "others_cpu_share": sample.get("others_share"),
        }


def same_answers(runs: Sequence[Run]) -> dict[str, str]:
    """How many of its answers are the first contender's, word for word."""
    texts = {one["request"]: one["text"] for one in runs[0]["requests"]} if runs else {}
    return {
        run["name"]: _said_alike(_alike(run, texts), len(run["requests"]), runs[0]["name"])
        for run in runs[1:]
    }


def _said_alike(alike: int, asked: int, whose: str) -> str:
    why = "" if alike == asked else "; others differ where sums in another order round otherwise"
    return f"{alike} of {asked} answers are word for word those of {whose}{why}."


def _alike(run: Run, texts: Mapping[int, str]) -> int:
    return sum(one["text"] == texts.get(one["request"]) for one in run["requests"])


def _latencies(run: Run, facts: Facts) -> Row:
    requests = run["requests"]
    ttft, tpot = [one["ttft_seconds"] for one in requests], [_tpot(one) for one in requests]
    warm = [one["ttft_seconds"] for one in requests if not one["rested"]]
    kept = [_inside(one, facts.slo) for one in requests]
    memory = [sample["memory_bytes"] for sample in run["timeline"]]
    return {
        "contender": run["name"],
        "ran": True,
        "profile": "measured",
        "requests": len(requests),
        "slo_ttft_seconds": facts.slo.ttft_seconds,
        "slo_tpot_seconds": facts.slo.tpot_seconds,
        "inside_slo_share": mean(kept),
        "slo_violations": len(kept) - sum(kept),
        "ttft_p50_seconds": median(ttft),
        "ttft_p95_seconds": float(np.quantile(ttft, 0.95)),
        "ttft_warm_p95_seconds": float(np.quantile(warm, 0.95)) if warm else None,
        "tpot_p50_seconds": median(tpot),
        "tpot_p95_seconds": float(np.quantile(tpot, 0.95)),
        "tokens_per_second": 1 / median(tpot),
        "output_tokens_mean": mean(one["output_tokens"] for one in requests),
        "memory_mean_bytes": mean(memory),
        "memory_peak_bytes": max(memory),
        "others_cpu_share": mean(sample["others_share"] for sample in run["timeline"]),
        "main_keep_alive_seconds": MAIN_KEEP_ALIVE_SECONDS if "wakes" in run else None,
    }


def _request(name: str, one: Mapping[str, Any], facts: Facts) -> Row:
    return {
        "contender": name,
        "request": one["request"],
        "prompt_tokens": one["prompt_tokens"],
        "output_tokens": one["output_tokens"],
        "ttft_seconds": one["ttft_seconds"],
        "tpot_seconds": _tpot(one),
        "inside_slo": _inside(one, facts.slo),
        "elapsed_seconds": one["elapsed_seconds"],
    }


def _tpot(one: Mapping[str, Any]) -> float:
    return float(one["elapsed_seconds"] - one["ttft_seconds"]) / max(one["output_tokens"] - 1, 1)


def _inside(one: Mapping[str, Any], slo: Slo) -> bool:
    ttft, tpot = slo.ttft_seconds, slo.tpot_seconds
    return (ttft is None or one["ttft_seconds"] <= ttft) and (tpot is None or _tpot(one) <= tpot)


def _usd(memory_bytes: float, seconds: float, facts: Facts) -> float:
    return memory_bytes / GIB * seconds * facts.prices.main_gib_second


def _family(row: Row) -> str:
    return str(row["contender"]).partition(",")[0]


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _written(facts: Facts, seconds: float) -> dict[str, Any]:
    return {
        "command": facts.command,
        "inputs": facts.inputs,
        "profile": facts.profile,
        "seed": facts.seed,
        "seconds": round(seconds, 1),
    } | ({"quick": True} if facts.quick else {})
