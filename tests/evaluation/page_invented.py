"""Tables with invented numbers, for trying the page and its pictures before anything has run.

    python tests/evaluation/page_invented.py DIR && python tests/evaluation/page.py --tables DIR

Nothing here was measured or simulated; the facts say so, and the page calls it a quick run.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from evaluation.table import write_table

MODELS = ("gpt2-moe", "deepseek-v2-lite", "qwen3-30b-a3b", "mixtral-8x7b", "deepseek-v3")
MACHINES = ("paper-server", "h100-node")
OTHERS = {
    "CPU": 1.6,
    "GPU": 6.0,
    "MIX": 1.3,
    "Fetch": 2.2,
    "Remoe as printed": 1.15,
    "Remoe": 1.0,
    "function per expert": 1.7,
    "function per layer": 1.4,
}
Row = dict[str, object]


def places(models: tuple[str, ...] = MODELS) -> Iterator[Row]:
    for machine, model in product(MACHINES, models):
        routing = "real" if model == "deepseek-v2-lite" else "resampled"
        yield {"model": model, "machine": machine, "routing": routing, "profile": "stated"}


def invented(seed: int = 0) -> dict[str, list[Row]]:
    """Rows of every table, by its name."""
    luck = np.random.default_rng(seed)
    return {
        "measured": list(_measured()),
        "measured_requests": list(_requests(luck)),
        "measured_timeline": list(_timeline()),
        "cold_start": list(_cold_start()),
        "validation": list(_validation(luck)),
        "likeness": list(_likeness()),
        "ratios": list(_ratios(luck)),
        "omitted": list(_omitted()),
        "network": list(_network()),
        "day": list(_day()),
        "keep_alive": list(_keep_alive()),
        "ablations": list(_ablations()),
        "limit": list(_limit(luck)),
        "gap": list(_gap()),
    }


def _measured() -> Iterator[Row]:
    for name, over in [*OTHERS.items(), ("transformers alone", 0.0), ("llama.cpp", 0.0)]:
        ran, rival = name not in ("GPU", "MIX", "Fetch"), not over
        yield {
            "contender": name, "ran": ran, "profile": "measured" if ran else "stated",
            "requests": 50, "slo_ttft_seconds": 2.0, "slo_tpot_seconds": 0.1,
            "inside_slo_share": 0.98, "slo_violations": 1,
            "ttft_p50_seconds": 0.4 + 0.1 * over, "ttft_p95_seconds": 0.9 + 0.1 * over,
            "tpot_p50_seconds": 0.03 + 0.01 * over, "tpot_p95_seconds": 0.04 + 0.01 * over,
            "tokens_per_second": 20.0, "busy_usd_per_request": None if rival else 2e-4 * over,
            "awake_usd_per_request": None if rival else 3e-4 * over,
            "memory_mean_bytes": 1.1e9, "memory_peak_bytes": 1.4e9, "planned_bytes": 1.6e9,
            "functions": 12, "functions_awake_mean": 4.5, "function_starts": 30, "main_starts": 1,
            "forecast_hit_share": 0.91 if name == "Remoe" else None,
            "forecast_used_share": 0.8 if name == "Remoe" else None,
            "keep_alive_seconds": 60, "output_tokens_mean": 187.5, "note": "",
        }  # fmt: skip


def _requests(luck: np.random.Generator) -> Iterator[Row]:
    for name, index in product(("CPU", "Remoe", "transformers alone"), range(50)):
        slow = 1.0 if name == "CPU" else 1.4
        yield {
            "contender": name, "request": index, "prompt_tokens": 110, "output_tokens": 200,
            "ttft_seconds": slow * luck.lognormal(-1, 0.3), "functions_hit": 9,
            "tpot_seconds": slow * luck.lognormal(-3.4, 0.1), "busy_usd": 2e-4, "inside_slo": True,
            "main_asleep": False, "functions_asleep": False, "functions_called": 10,
            "functions_forecast": 11, "borrowed_experts": 3,
        }  # fmt: skip


def _timeline() -> Iterator[Row]:
    for name, second in product(("CPU", "Remoe", "function per layer"), range(0, 400, 4)):
        awake = 0 if name == "CPU" else 4 + 3 * (second // 60 % 2)
        held = 1.3e9 if name == "CPU" else 4e8 + 8e7 * awake
        yield {
            "contender": name, "at_seconds": second, "memory_bytes": held,
            "main_memory_bytes": 4e8, "functions_memory_bytes": held - 4e8,
            "functions_awake": awake, "main_awake": True,
        }  # fmt: skip


def _cold_start() -> Iterator[Row]:
    phases = {
        "start the process": 0.9,
        "read weights": 1.0,
        "wake functions": 0.4,
        "first pass": 0.3,
    }
    asleep = ("everything asleep", "functions asleep")
    for situation, name, (phase, seconds) in product(asleep, ("CPU", "Remoe"), phases.items()):
        if situation == "functions asleep" and (name == "CPU" or phase != "wake functions"):
            continue
        less = 0.45 if name == "Remoe" and phase == "read weights" else 1.0
        yield {
            "contender": name, "profile": "measured", "situation": situation, "phase": phase,
            "seconds": seconds * less, "p95_seconds": seconds, "samples": 5, "note": "",
        }  # fmt: skip


def _validation(luck: np.random.Generator) -> Iterator[Row]:
    quantities = {"busy cost of a request": "USD", "TTFT, median": "s", "TPOT, median": "s"}
    for name, (quantity, unit) in product(("CPU", "Remoe"), quantities.items()):
        ratio = luck.normal(1, 0.06)
        yield {
            "contender": name, "quantity": quantity, "unit": unit, "measured": 0.1,
            "simulated": 0.1 * ratio, "ratio": ratio, "why": "",
        }  # fmt: skip


def _likeness() -> Iterator[Row]:
    for model in MODELS:
        yield {
            "model": model, "what": "resized", "shape": "26 x 64, top 6", "prompts": 159,
            "busiest_quarter": 0.3, "own_quarter": 0.5, "from_mean_bits": 0.07,
            "between_bits": 0.14, "answer_to_prompt_bits": None,
        }  # fmt: skip


def _ratios(luck: np.random.Generator) -> Iterator[Row]:
    middle = {"prompt_tokens": 125, "output_tokens": 200, "price_ratio": 3.0, "slo_multiple": 1.5}
    lengths = [{"prompt_tokens": p, "output_tokens": 800 - p} for p in (100, 200, 400, 600, 700)]
    points: list[Row] = [{"sweep": "ratio", **middle, **change} for change in [*lengths, {}]]
    points += [{"sweep": "price", **middle, "price_ratio": ratio} for ratio in (3.0, 5, 10, 20)]
    points += [{"sweep": "slo", **middle, "slo_multiple": m} for m in (1, 1.25, 1.5, 2, 4)]
    for place, point, (name, over) in product(places(), points, OTHERS.items()):
        cost = over * (1 if name == "Remoe" else luck.lognormal(0, 0.08))
        if name == "MIX" and point["slo_multiple"] == 1:
            cost = 0.98
        yield {
            **place, **point, "slo_ttft_seconds": 2.0, "slo_tpot_seconds": 0.1, "contender": name,
            "usd_per_request": 1e-4 * cost, "usd_per_million_tokens": 0.3 * cost,
            "ttft_seconds": 1.0, "tpot_seconds": 0.08, "keeps_slo": name != "CPU",
            "cost_over_ours": cost, "main_bytes": 8e9, "gpu_bytes": 2e9, "functions_bytes": 9e9,
            "note": "",
        }  # fmt: skip


def _omitted() -> Iterator[Row]:
    for place, hourly, (name, over) in product(places(), (180, 12), OTHERS.items()):
        sleeps = name not in ("CPU", "GPU", "MIX", "Fetch")
        parts = {
            "busy_usd_per_request": 1e-4 * over,
            "cold_start_usd_per_request": 2e-5 * sleeps,
            "idle_usd_per_request": 1e-5 if sleeps else 4e-2 * over / hourly,
            "fees_usd_per_request": 4e-6 * sleeps,
            "network_usd_per_request": 6e-6 * sleeps,
        }
        yield {
            **place, "contender": name, **parts, "total_usd_per_request": sum(parts.values()),
            "over_ours_busy": over, "over_ours_total": sum(parts.values()) / 1.4e-4,
            "requests_per_hour": hourly, "keep_alive_seconds": 60, "bytes_per_second": 1.25e9,
            "round_trip_seconds": 2e-4, "note": "",
        }  # fmt: skip


def _network() -> Iterator[Row]:
    speeds, trips = (1.25e8, 3.125e8, 1.25e9, 3.125e9), (5e-5, 2e-4, 5e-4, 2e-3)
    for place, speed, trip in product(places(MODELS[1:3]), speeds, trips):
        yield {
            **place, "bytes_per_second": speed, "round_trip_seconds": trip, "contender": "Remoe",
            "usd_per_request": 1e-4, "ttft_seconds": 1.0, "tpot_seconds": 0.05 + 20 * trip,
            "keeps_slo": trip < 2e-3, "mix_over_this": 1.4 - 300 * trip - 2e7 / speed,
            "remote_share": 0.5, "note": "",
        }  # fmt: skip


def _day() -> Iterator[Row]:
    inside = {
        "MIX, always on": 1.0,
        "MIX, scale to zero": 0.8,
        "Remoe": 0.97,
        "Remoe, always on": 0.99,
        "function per layer": 0.62,
    }
    cost = {
        "MIX, always on": 9.0,
        "MIX, scale to zero": 4.0,
        "Remoe": 2.4,
        "Remoe, always on": 6.1,
        "function per layer": 2.9,
    }
    for place, day, name in product(places(MODELS[1:2]), ("stretched", "thinned"), inside):
        yield {
            **place, "day": day, "contender": name, "requests": 8819,
            "awake_usd_per_million_tokens": cost[name], "busy_usd_per_million_tokens": 1.0,
            "ttft_p50_seconds": 0.8, "ttft_p95_seconds": 2.2, "ttft_p99_seconds": 4.0,
            "tpot_p50_seconds": 0.05, "tpot_p95_seconds": 0.07, "tpot_p99_seconds": 0.09,
            "inside_slo_share": inside[name], "slo_ttft_seconds": 2.5, "slo_tpot_seconds": 0.1,
            "main_starts": 12, "function_starts": 800, "early_starts": 700, "early_used": 600,
            "keep_alive_seconds": 60, "main_keep_alive_seconds": 300, "memory_mean_bytes": 2e10,
            "note": "",
        }  # fmt: skip


def _keep_alive() -> Iterator[Row]:
    names = ("Remoe", "function per layer")
    for place, name, seconds in product(places(MODELS[1:3]), names, (5, 15, 60, 300, 1800)):
        yield {
            **place, "day": "stretched", "contender": name, "keep_alive_seconds": seconds,
            "awake_usd_per_million_tokens": 1.5 + 0.4 * np.log(seconds) + (name != "Remoe"),
            "inside_slo_share": min(1.0, 0.5 + 0.1 * np.log(seconds)), "ttft_p95_seconds": 2.0,
            "tpot_p95_seconds": 0.07, "main_starts": 12, "function_starts": 900,
        }  # fmt: skip


def _ablations() -> Iterator[Row]:
    without = {
        "Remoe": 1.0, "without SPS": 1.12, "without MMP's correction": 1.04,
        "without cross-layer choice": 1.2, "without pre-warming": 0.97, "without replicas": 1.0,
    }  # fmt: skip
    for place, (name, over) in product(places(MODELS[1:3]), without.items()):
        late = name == "without pre-warming"
        yield {
            **place, "ablation": name, "busy_usd_per_million_tokens": over,
            "awake_usd_per_million_tokens": 2.4 * over, "ttft_p50_seconds": 0.8,
            "ttft_p95_seconds": 2.2, "tpot_p50_seconds": 0.05, "tpot_p95_seconds": 0.07,
            "inside_slo_share": 0.7 if late else 0.97, "cost_over_ours": over,
            "keeps_slo": not late, "note": "",
        }  # fmt: skip


def _limit(luck: np.random.Generator) -> Iterator[Row]:
    for place, request in product(places(MODELS[1:3]), range(20)):
        over = 1.05 + 0.1 * luck.random()
        yield {
            **place, "request": request, "ours_usd": 1e-4 * over, "optimum_usd": 1e-4,
            "over_optimum": over, "ours_ttft_seconds": 1.0, "ours_tpot_seconds": 0.05,
            "optimum_ttft_seconds": 1.1, "optimum_tpot_seconds": 0.06, "ours_keeps_slo": True,
            "exact": True, "note": "",
        }  # fmt: skip


def _gap() -> Iterator[Row]:
    steps = {
        "oracle's optimum": 1.0, "one plan for all requests": 1.04, "routing not known": 1.09,
        "planner's own distance": 1.1, "grid of sizes": 1.105, "Remoe": 1.105,
    }  # fmt: skip
    for place in places(MODELS[1:3]):
        before = 1.0
        for step, cost in steps.items():
            yield {
                **place, "step": step, "usd_per_request": 1e-4 * cost,
                "added_usd_per_request": 1e-4 * (cost - before), "added_share": cost - before,
                "note": "",
            }  # fmt: skip
            before = cost


PROFILE = "stated: paper-server: invented; h100-node: invented, too"


def write_invented(folder: Path, seed: int = 0) -> None:
    for name, rows in invented(seed).items():
        write_table(
            folder, name, rows, command=f"python tests/evaluation/{name}.py --data DATA",
            inputs="nothing: invented numbers", profile=PROFILE, seed=seed, machine="none",
            quick=True,
        )  # fmt: skip


if __name__ == "__main__":
    write_invented(Path(sys.argv[1]))
