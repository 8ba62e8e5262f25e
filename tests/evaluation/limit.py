"""How far Remoe is from the cheapest that anybody could have done, and what that consists of.

    python tests/evaluation/limit.py --data DATA --out docs/evaluation [--quick]

For each request an oracle that knows its true routing: a bound that no placement is below, and the
best plan that a search finds. Only work is paid for and everything is warm, as the paper counts.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from evaluation.limit_awake import Arriving
from evaluation.limit_steps import Causes, world_of
from evaluation.point import Point
from evaluation.stage import arriving
from evaluation.sweep import Task, options, stages, swept, write

from remoe_planner.estimating.placed import Placed
from remoe_simulator.contenders.planned import ours

CENTRE = Point()
REQUESTS, FEWER_REQUESTS, QUICK_REQUESTS = 50, 24, 3
"""Served; where a search needs all of them many times, fewer will do."""
MODELS = ("deepseek-v2-lite", "qwen3-30b-a3b")
INPUTS = (
    f"{REQUESTS} requests of 125:200 tokens ({FEWER_REQUESTS} where they come by chance) from "
    "routing/dsv2lite_puffin (texts of the test side, by seed), plans from the other side; other "
    "models' routing is resized from it"
)
NOTE = (
    "c_g/c_c 3, promises of 1.5 times MIX's latency, functions up to 10 GiB; only work is paid for "
    "and everything is warm. The optimum is a bound from below: whole experts, each in one place, "
    "cannot be served for less, whoever places them. No service could move experts from request to "
    "request as the plans made for single requests ask."
)
AWAKE_NOTE = (
    "Every second awake, cold starts and 0.20 USD for a million calls are paid for; 36 requests an "
    "hour by chance, keep-alive 300 s for the main model and 60 s for functions, promises of 1.5 "
    "times what MIX keeps under the same load."
)


def causes_of(stage, point, count, fewer):
    """What the steps are worked out from, at one point."""
    setting = stage.setting(point)
    world = world_of(setting)
    return Causes(
        setting=setting,
        world=world.certain(),
        requests=list(stage.requests(arriving(count, point, stage.seed))),
        learned=list(stage.learned_requests(arriving(fewer, point, stage.seed))),
        ours=Placed.of(ours(setting).plan, world.offerings),
    )


def rows_of(stage, quick):
    count, fewer = (QUICK_REQUESTS,) * 2 if quick else (REQUESTS, FEWER_REQUESTS)
    causes = causes_of(stage, CENTRE, count, fewer)
    floors = causes.floors()
    found = [causes.found(request) for request in causes.requests]
    awake = Arriving.on(stage, fewer)
    return [
        *_limits(stage, causes, floors, found),
        *_gaps("gap", stage, causes.steps(floors, found)),
        *_gaps("gap_awake", stage, awake.steps()),
    ]


def _limits(stage, causes, floors, found):
    own = zip(floors, found, causes.judged(causes.ours), strict=True)
    for number, (least, best, had) in enumerate(own):
        yield {
            "table": "limit",
            **stage.about,
            "request": number,
            "ours_usd": had.busy.cost,
            "optimum_usd": least,
            "over_optimum": had.busy.cost / least,
            "found_usd": best.busy.cost,
            "found_over_optimum": best.busy.cost / least,
            "ours_ttft_seconds": had.ttft_seconds,
            "ours_tpot_seconds": had.tpot_seconds,
            "optimum_ttft_seconds": best.ttft_seconds,
            "optimum_tpot_seconds": best.tpot_seconds,
            "ours_keeps_slo": had.keeps(causes.world.slo),
            "exact": False,
            "note": BOUND,
        }


def _gaps(table, stage, steps):
    least = before = steps[0].usd
    for step in steps:
        added, before = step.usd - before, step.usd
        yield _gap(table, stage, step.name, step.usd, added, least, step.note)
    yield _gap(table, stage, "Remoe", before, 0.0, least, "")


def _gap(table, stage, name, usd, added, least, note):
    return {
        "table": table,
        **stage.about,
        "step": name,
        "usd_per_request": usd,
        "added_usd_per_request": added,
        "added_share": added / least,
        "note": note,
    }


BOUND = "The optimum's cost is a bound from below; its latencies are those of the best plan found."


def main():
    found = options(__doc__.split("\n")[0], models=MODELS, machines=("paper-server",))
    began = time.monotonic()
    tasks = [Task(stage=stage, rows=rows_of, quick=found.quick) for stage in stages(found)]
    rows = swept(tasks, found.processes)
    for name, note in (("limit", NOTE), ("gap", NOTE), ("gap_awake", AWAKE_NOTE)):
        own = [row for row in rows if row["table"] == name]
        own = [{key: row[key] for key in row if key != "table"} for row in own]
        write(found, name, own, began=began, script="limit", inputs=INPUTS, note=note)


if __name__ == "__main__":
    main()
