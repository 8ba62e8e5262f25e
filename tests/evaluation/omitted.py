"""What the paper leaves out of a request's cost: cold starts, idle keep-alive, fees, the network.

    python tests/evaluation/omitted.py --data DATA --out docs/evaluation [--quick]

Every contender scales to zero by the same rules, at three loads. Remoe is planned for what is
really paid; the printed method knows only work. Promises are 1.5 times what MIX keeps under the
same load, its own cold starts included.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from evaluation.accounting import account
from evaluation.comparison import made
from evaluation.point import CALL_USD, Load, Point
from evaluation.stage import arriving
from evaluation.sweep import options, tabled

from remoe_planner.billing import Billing
from remoe_simulator.contender import ContenderName, Waking
from remoe_simulator.contenders.setting import Network

LOADS = tuple(
    Load(name=f"{3600 / apart:g} an hour", requests_per_second=1 / apart)
    for apart in (20.0, 300.0, 1800.0)
)
FAR = Network(bytes_per_second=1.25e9, round_trip_seconds=2e-4)
REQUESTS = 40
FOR_WORK = "Remoe, planned for work alone"
MOST_FUNCTIONS = 2000
"""Of a contender that is played here: each of them starts and stops for each request."""


def point_of(load: Load) -> Point:
    return Point(load=load, billing=Billing.AWAKE, network=FAR, call_usd=CALL_USD)


def rows_of(stage, quick):
    found = []
    for load in LOADS[::2] if quick else LOADS:
        point = point_of(load)
        setting = stage.setting(point)
        accounts = [
            (name, *_account(stage, setting, point, one, note, quick))
            for name, one, note in _contenders(stage, setting, point)
        ]
        ours = next(account for name, account, _ in accounts if name == ContenderName.OURS)
        for name, spent, note in accounts:
            found.append(_row(stage, point, name, spent, ours, note))
    return found


def _contenders(stage, setting, point):
    for name in ContenderName:
        yield name, *made(setting, name)
    work = replace(setting, offerings=replace(setting.offerings, billing=Billing.BUSY))
    yield FOR_WORK, *made(work, ContenderName.OURS)


def _account(stage, setting, point, one, note, quick):
    if one is None:
        return None, note
    if len(one.plan.functions) > MOST_FUNCTIONS:
        return None, f"Not played: it has {len(one.plan.functions):,} functions."
    arrivals = arriving(6 if quick else REQUESTS, point, stage.seed)
    belief = "ours" if one.waking is Waking.FORECAST and one.plan.functions else None
    return account(stage, one, arrivals, point.network, belief, setting.slo), note


def _row(stage, point, name, spent, ours, note):
    row = {
        **stage.about,
        "contender": str(name),
        "requests_per_hour": 3600 * point.load.requests_per_second,
        "keep_alive_seconds": point.load.function_keep_alive_seconds,
        "main_keep_alive_seconds": point.load.main_keep_alive_seconds,
        "bytes_per_second": point.network.bytes_per_second,
        "round_trip_seconds": point.network.round_trip_seconds,
    }
    if spent is None:
        return row | {"note": note}
    return row | {
        **spent.columns,
        "over_ours_busy": spent.busy_usd / ours.busy_usd,
        "over_ours_total": spent.total_usd / ours.total_usd,
        "note": note,
    }


def main():
    found = options(__doc__.split("\n")[0])
    tabled(
        found,
        "omitted",
        rows_of,
        inputs=(
            f"{REQUESTS} requests of 125:200 tokens by chance (Poisson, seed) from "
            "routing/dsv2lite_puffin, test side; forecasts learned from the other side"
        ),
        note=(
            "c_g/c_c 3, a call costs 0.20 USD a million, functions are 0.2 ms and 10 Gb/s away, "
            "an idle main model stays 300 s, an idle function 60 s. Cold starts: memory held from "
            "the begin of a start to its end. Network: what the same day costs less where "
            "functions are on the same host."
        ),
    )


if __name__ == "__main__":
    main()
