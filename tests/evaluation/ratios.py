"""What contenders cost as the paper counts: by lengths, price of GPU memory, promise, and grid.

    python tests/evaluation/ratios.py --data DATA --out docs/evaluation [--quick]

Only work is paid for, everything is warm, and requests come one at a time. Latencies are those
that 95 % of the requests keep; promises are multiples of what MIX keeps on other requests.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from evaluation.comparison import EVERYBODY, compared
from evaluation.point import Grid, Point
from evaluation.stage import arriving
from evaluation.sweep import options, tabled

from remoe_simulator.contender import ContenderName
from remoe_simulator.contenders.resident import FUSED_GPU

CENTRE = Point()
LENGTHS = ((700, 100), (600, 200), (400, 400), (200, 600), (100, 700))
PRICE_RATIOS = (3.0, 5.0, 10.0, 20.0)
SLO_MULTIPLES = (1.0, 1.1, 1.25, 1.5, 2.0, 4.0)
REQUESTS = 8
SHOWN = (*map(str, ContenderName), FUSED_GPU)
SENTENCES = re.compile(r"(?<=\.) (?=[A-Z0-9])")
LATE = "cannot be promised"


def points(quick: bool) -> list[tuple[str, Point]]:
    """Every point with the sweep that it belongs to; the centre stands in each."""
    by_length = [replace(CENTRE, prompt_tokens=p, output_tokens=o) for p, o in LENGTHS]
    by_price = [replace(CENTRE, price_ratio=ratio) for ratio in PRICE_RATIOS]
    by_promise = [replace(CENTRE, slo_multiple=multiple) for multiple in SLO_MULTIPLES]
    sweeps = {
        "ratio": [*by_length, CENTRE],
        "price": by_price,
        "slo": by_promise,
        "grid": [CENTRE, replace(CENTRE, grid=Grid.PAPER)],
    }
    found = [(name, point) for name, several in sweeps.items() for point in several]
    return found[::6] if quick else found


def rows_of(stage, quick):
    found = []
    for sweep, point in points(quick):
        arrivals = arriving(2 if quick else REQUESTS, point, stage.seed)
        names = EVERYBODY if sweep == "grid" else SHOWN
        for row in compared(stage, point, arrivals, names):
            found.append({**stage.about, "sweep": sweep, "grid": str(point.grid), **short(row)})
    return found


def short(row):
    """The row in five digits, without the sentences that `keeps_slo` says as well."""
    told = [said for said in SENTENCES.split(str(row["note"])) if LATE not in said]
    figures = {k: float(f"{v:.5g}") if isinstance(v, float) else v for k, v in row.items()}
    return figures | {"note": " ".join(told)}


def main():
    found = options(__doc__.split("\n")[0])
    tabled(
        found,
        "ratios",
        rows_of,
        inputs=(
            f"{REQUESTS} requests of each point from routing/dsv2lite_puffin (texts of the test "
            "side, by seed), plans from 200 of the other side; other models' routing is resized "
            "from it"
        ),
        note=(
            "The centre: 125:200 tokens, c_g/c_c 3, promises of 1.5 times MIX's, functions up to "
            "10 GiB. Every function is warm and its idle time is free, as the paper counts. "
            "Functions run on machines of their own, one core for each GiB."
        ),
    )


if __name__ == "__main__":
    main()
