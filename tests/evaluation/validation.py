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
import psutil

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
# More than these, and starts and calls are about processes, not about experts.
MANY_FUNCTIONS = 64
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
    rows = list(validated(found[0], profile, source.directory, cache))
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
    found: Iterable[Served], profile: HardwareProfile, model: Path, cache: Cache
) -> Iterable[Row]:
    """Rows of every contender that ran; the first is what the others are held against."""
    routed, first = read(cache.routing), None
    for one in found:
        run = cache.run(one.name)
        if run is None:
            continue
        forecast = forecaster(model, cache.history, one.plan) if one.forecasts else None
        day = simulated(contender_of(one, profile), run, routed, forecast)
        there, paper = measured_figures(one, run), simulated_figures(day)
        first = first or (run, day)
        if first[0] is not run:
            there |= beside(f"{first[0]['name']}'s", measured_beside(run, first[0]))
            paper |= dict(zip(list(there)[-2:], simulated_beside(day, first[1]), strict=True))
        for quantity, (unit, value) in there.items():
            ratio = paper[quantity] / value
            yield {
                "contender": str(one.name),
                "quantity": quantity,
                "unit": unit,
                "measured": value,
                "simulated": paper[quantity],
                "ratio": ratio,
                "why": why(one, run, quantity, ratio, profile.overlap),
            }


def measured_figures(one: Served, run: Mapping[str, Any]) -> dict[str, tuple[str, float]]:
    requests = run["requests"]
    ttft = [each["ttft_seconds"] for each in requests]
    tpot = list(map(tpot_of, requests))
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


def beside(whose: str, figures: tuple[float, float]) -> dict[str, tuple[str, float]]:
    """Shares of the first contender's cost and time, which a machine's mood changes less."""
    busy, tpot = figures
    return {
        f"busy cost over {whose}, same prompts": ("x", busy),
        f"TPOT over {whose}, same prompts": ("x", tpot),
    }


def measured_beside(run: Mapping[str, Any], first: Mapping[str, Any]) -> tuple[float, float]:
    """Of all prompts that both were asked."""
    mine, theirs = run["requests"], first["requests"][: len(run["requests"])]
    busy = [sum(each["account"]["cost"] for each in side) for side in (mine, theirs)]
    tpot = [float(np.median(list(map(tpot_of, side)))) for side in (mine, theirs)]
    return busy[0] / busy[1], tpot[0] / tpot[1]


def simulated_beside(day: Day, first: Day) -> tuple[float, float]:
    mine, theirs = day.served, first.served[: len(day.served)]
    busy = [sum(each.busy.cost for each in side) for side in (mine, theirs)]
    tpot = [float(np.median([each.tpot_seconds for each in side])) for side in (mine, theirs)]
    return busy[0] / busy[1], tpot[0] / tpot[1]


def tpot_of(request: Mapping[str, Any]) -> float:
    spent = request["elapsed_seconds"] - request["ttft_seconds"]
    return float(spent) / max(request["output_tokens"] - 1, 1)


def why(one: Served, run: Mapping[str, Any], quantity: str, ratio: float, overlap: float) -> str:
    """Why a ratio is off by more than is allowed; nothing where it is not."""
    count, cores = len(one.plan.functions), psutil.cpu_count()
    if abs(ratio - 1) <= WITHIN:
        return ""
    if count > MANY_FUNCTIONS:
        return (
            f"{count} processes take turns on {cores} cores, in starting and in every call; on "
            "paper each has its own."
        )
    if quantity == "TTFT, p95" and count:
        return (
            f"{count} functions that start together share {cores} cores with each other and with "
            "the main model; on paper each starts as if alone."
        )
    both = 0 < one.plan.remote_share < 1
    hidden = (
        f" By the profile, local and remote work hide behind each other (overlap {overlap:.2f}); "
        f"here both want the same memory and {cores} cores."
    )
    return drift(run) + (hidden if both else "")


def drift(run: Mapping[str, Any]) -> str:
    """What the run itself shows of the machine's speed."""
    least, most = (1e3 * float(np.quantile(list(map(tpot_of, run["requests"])), q)) for q in (0, 1))
    others = mean(sample["others_share"] for sample in run["timeline"])
    return (
        f"The machine's own speed moves: answers of this run took {least:.0f} to {most:.0f} ms a "
        f"token, while others used {others:.1%} of the processor; the profile is of before it."
    )


if __name__ == "__main__":
    main()
