"""The simulator against section 2: the same prompts, routing, plans and rests, on paper.

    python tests/evaluation/validation.py --model MODEL --out docs/evaluation --cache CACHE

CACHE is what `measured.py` kept. Times come from the profile that was measured before the run, and
forecasts from the history that it was given; nothing is fitted to what is compared here.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from evaluation.measured_cache import DEFAULT, Cache
from evaluation.measured_foretold import forecaster
from evaluation.measured_plans import Served, recalled
from evaluation.measured_routing import read
from evaluation.measured_simulated import contender_of, simulated
from evaluation.measured_tables import awake_usd
from evaluation.table import write_table

from remoe_functions.cli.places import profile_file
from remoe_functions.source.source import resolve
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.prices import DEFAULT_PRICES
from remoe_simulator.day import Day

WITHIN = 0.15
Row = dict[str, object]


def main() -> None:
    options = parser().parse_args()
    cache = Cache(options)
    found = recalled(cache.plans)
    if found is None or not cache.routing.exists():
        print(f"validation: run measured.py first, {cache.folder} has no run", file=sys.stderr)
        sys.exit(2)
    source = resolve(options.model)
    profile = HardwareProfile.from_json(profile_file(source).read_text("utf-8"))
    began = time.monotonic()
    rows = [
        row
        for one in found[0]
        if (run := cache.run(one.name)) is not None
        for row in validated(one, run, profile, source.directory, cache)
    ]
    write_table(
        options.out,
        "validation",
        rows,
        command="python tests/evaluation/validation.py --model MODEL --out docs/evaluation",
        inputs="the runs of measured.py: their prompts, routing token by token, plans and rests",
        profile=f"measured: {profile.name}, {profile.source}",
        seed=0,
        seconds=round(time.monotonic() - began, 1),
    )
    for row in rows:
        print(*(f"{v:.4g}" if isinstance(v, float) else v for v in row.values()), sep=" | ")


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="not needed; taken as the other scripts take it")
    parser.add_argument("--model", required=True, help="the demo model's folder")
    parser.add_argument("--out", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--cache", type=Path, help=f"what measured.py kept ({DEFAULT})")
    parser.add_argument("--quick", action="store_true", help="of a quick run of measured.py")
    return parser


def validated(
    one: Served, run: Mapping[str, Any], profile: HardwareProfile, model: Path, cache: Cache
) -> Iterable[Row]:
    """Rows of a contender."""
    forecast = forecaster(model, cache.history, one.plan) if one.forecasts else None
    day = simulated(contender_of(one, profile), run, read(cache.routing), forecast)
    there, paper = measured_figures(one, run), simulated_figures(day)
    for quantity, (unit, value) in there.items():
        on_paper = paper[quantity]
        ratio = on_paper / value if value else None
        yield {
            "contender": str(one.name),
            "quantity": quantity,
            "unit": unit,
            "measured": value,
            "simulated": on_paper,
            "ratio": ratio,
            "why": why(quantity, ratio),
        }


def measured_figures(one: Served, run: Mapping[str, Any]) -> dict[str, tuple[str, float]]:
    requests = run["requests"]
    ttft = [each["ttft_seconds"] for each in requests]
    tpot = [
        (each["elapsed_seconds"] - each["ttft_seconds"]) / max(each["output_tokens"] - 1, 1)
        for each in requests
    ]
    awake = awake_usd(one, run, DEFAULT_PRICES) / len(requests)
    return {
        "busy cost of a request": ("USD", mean(each["account"]["cost"] for each in requests)),
        "awake cost of a request": ("USD", awake),
        "TTFT, median": ("s", float(np.median(ttft))),
        "TTFT, p95": ("s", float(np.quantile(ttft, 0.95))),
        "TPOT, median": ("s", float(np.median(tpot))),
        "TPOT, p95": ("s", float(np.quantile(tpot, 0.95))),
    }


def simulated_figures(day: Day) -> dict[str, float]:
    return {
        "busy cost of a request": day.busy.cost / len(day.served),
        "awake cost of a request": day.awake.cost / len(day.served),
        "TTFT, median": day.ttft_seconds(0.5),
        "TTFT, p95": day.ttft_seconds(0.95),
        "TPOT, median": day.tpot_seconds(0.5),
        "TPOT, p95": day.tpot_seconds(0.95),
    }


def why(quantity: str, ratio: float | None) -> str:
    """Why a ratio is off by more than is allowed; nothing where it is not."""
    if ratio is None or abs(ratio - 1) <= WITHIN:
        return ""
    return "Not explained."


if __name__ == "__main__":
    main()
