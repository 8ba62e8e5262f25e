"""A day of the Azure 2023 coding trace: what it costs, and what its clients feel.

    python tests/evaluation/day.py --data DATA --out docs/evaluation [--quick]

*Stretched*: the trace's 57 minutes as 24 hours, 8,819 requests; its bursts are more than a server
with its experts on a CPU can take. *One in 10* of those, and *thinned*, one in 40, as a model that
is seldom asked. Everybody is measured by the same promise, 1.5 times what MIX keeps when it is
always on. Writes `keep_alive`, too: the thinned day for other keep-alives.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from evaluation.azure import DAY_SECONDS, Arrivals, read_day
from evaluation.comparison import AT
from evaluation.daily import Daily, contenders_of
from evaluation.point import CALL_USD, Load, Point
from evaluation.sweep import QUICK_MODEL, options, tabled

from remoe_planner.billing import Billing

THINNED = 40
KEEP_ALIVES = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
KEPT = ("MIX, scale to zero", "Remoe", "Remoe, without forecasts")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A day by its name, and how much of the trace it has."""

    name: str
    every: int = 1


DAYS = (
    Kind(name="stretched"),
    Kind(name="one in 10", every=10),
    Kind(name="thinned", every=THINNED),
)


def arrivals_of(stage, kind, quick) -> Arrivals:
    """A quick day is an hour with a tenth of the requests."""
    found = read_day(stage.data, every=kind.every * (10 if quick else 1))
    return found.part(found.seconds < DAY_SECONDS / (8 if quick else 1))


def point_of(arrivals: Arrivals, seconds: float, keep_alive: float | None = None) -> Point:
    """What a user knows of such a day: means, the longest in twenty, and the rate."""
    prompts, outputs = arrivals.prompt_tokens, arrivals.output_tokens
    load = Load(name="azure", requests_per_second=len(arrivals) / seconds)
    if keep_alive is not None:
        load = replace(
            load, main_keep_alive_seconds=keep_alive, function_keep_alive_seconds=keep_alive
        )
    return Point(
        prompt_tokens=round(float(prompts.mean())),
        output_tokens=round(float(outputs.mean())),
        longest=(int(np.quantile(prompts, AT)), int(np.quantile(outputs, AT))),
        billing=Billing.AWAKE,
        load=load,
        call_usd=CALL_USD,
        slo_multiple=None,
    )


def day_rows(stage, quick):
    found = []
    for kind in DAYS:
        seconds = DAY_SECONDS / (8 if quick else 1)
        arrivals = arrivals_of(stage, kind, quick)
        daily = Daily(stage, kind.name, arrivals, seconds, point_of(arrivals, seconds))
        found.extend(daily.row(name, one) for name, one in contenders_of(daily))
    return found


def keep_alive_rows(stage, quick):
    found = []
    seconds = DAY_SECONDS / (8 if quick else 1)
    arrivals = arrivals_of(stage, DAYS[-1], quick)
    for keep_alive in KEEP_ALIVES[::3] if quick else KEEP_ALIVES:
        point = point_of(arrivals, seconds, keep_alive)
        daily = Daily(stage, DAYS[-1].name, arrivals, seconds, point)
        found.extend(daily.row(name, one) for name, one in contenders_of(daily, KEPT))
    return found


def main():
    found = options(__doc__.split("\n")[0], models=(QUICK_MODEL,), machines=("paper-server",))
    for name, rows in (("day", day_rows), ("keep_alive", keep_alive_rows)):
        tabled(
            found,
            name,
            rows,
            script="day",
            inputs=(
                "azure_llm_2023_code.csv: 8,819 requests of 57 minutes stretched to 24 hours"
                f" (or one in 10 of them; thinned: one in {THINNED}); routing of "
                "routing/dsv2lite_puffin, lengthened to each request's tokens, test side; "
                "forecasts learned from the other side"
            ),
            note=(
                "c_g/c_c 3; every second from start to stop is paid for, and each call. An idle "
                "main model stays 300 s and an idle function 60 s where no other keep-alive is "
                "named. Inside: of the requests, 1.5 times TTFT and TPOT that 95 % keep with MIX "
                "always on."
            ),
        )


if __name__ == "__main__":
    main()
