"""What is left of the gain where functions are further away, or behind a slower line.

    python tests/evaluation/network.py --data DATA --out docs/evaluation [--quick]

As the paper counts, at the centre; Remoe is planned for each network. The round trip comes on top
of what a call takes on one host.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from evaluation.comparison import compared
from evaluation.point import Point
from evaluation.stage import arriving
from evaluation.sweep import options, tabled

from remoe_simulator.contender import ContenderName
from remoe_simulator.contenders.setting import Network

GIGABITS = (1, 5, 10, 25)
ROUND_TRIPS = (5e-5, 2e-4, 5e-4, 2e-3)
REQUESTS = 6
SHOWN = (
    ContenderName.MIX,
    ContenderName.PRINTED,
    ContenderName.OURS,
    ContenderName.PER_EXPERT,
    ContenderName.PER_LAYER,
)
COLUMNS = ("contender", "usd_per_request", "ttft_seconds", "tpot_seconds", "keeps_slo")


def networks(quick: bool) -> list[Network]:
    found = [
        Network(bytes_per_second=gigabits * 1e9 / 8, round_trip_seconds=seconds)
        for gigabits, seconds in product(GIGABITS, ROUND_TRIPS)
    ]
    return found[::9] if quick else found


def rows_of(stage, quick):
    found = []
    for network in networks(quick):
        point = replace(Point(), network=network)
        rows = compared(stage, point, arriving(2 if quick else REQUESTS, point, stage.seed), SHOWN)
        mix = rows[0].get("usd_per_request")
        found.extend(_row(stage, network, row, mix) for row in rows)
    return found


def _row(stage, network, row, mix):
    spent = row.get("usd_per_request")
    return {
        **stage.about,
        "bytes_per_second": network.bytes_per_second,
        "round_trip_seconds": network.round_trip_seconds,
        **{name: row.get(name) for name in COLUMNS},
        "mix_over_this": mix / spent if spent and mix else None,
        "remote_share": row.get("remote_share"),
        "functions": row.get("functions"),
        "note": row["note"],
    }


def main():
    found = options(__doc__.split("\n")[0])
    tabled(
        found,
        "network",
        rows_of,
        inputs=f"{REQUESTS} requests at the centre of the sweeps, from routing/dsv2lite_puffin",
        note="125:200 tokens, c_g/c_c 3, promises of 1.5 times MIX's, functions up to 10 GiB.",
    )


if __name__ == "__main__":
    main()
