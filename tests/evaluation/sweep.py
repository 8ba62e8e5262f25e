"""What the scripts of section 3 have in common: options, stages side by side, one table out.

A task is a stage and what is done with it, in a process of its own; tasks take no notice of each
other, so the rows are the same however many run at once.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

from evaluation.stage import MACHINES, SEED, STATED, Stage
from evaluation.table import write_table

MODELS_SHOWN = (
    "gpt2-moe",
    "deepseek-v2-lite",
    "qwen3-30b-a3b",
    "mixtral-8x7b",
    "deepseek-v3",
)
QUICK_MODEL = "deepseek-v2-lite"


@dataclass(frozen=True, kw_only=True)
class Task:
    """One stage's part of a table: `rows(stage, quick)` in a process of its own."""

    stage: Stage
    rows: Callable[[Stage, bool], list[dict[str, object]]]
    quick: bool = False

    def done(self):
        return self.rows(self.stage, self.quick)


def options(description: str, *, models=MODELS_SHOWN, machines=tuple(MACHINES)):
    """Parsed from the command line.

    Exits with 2 where data is needed and not given.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, help="folder with routing/ and the Azure trace")
    parser.add_argument("--model", type=Path, help="not needed here; every script takes it")
    parser.add_argument("--out", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--cache", type=Path, help="folder that keeps fitted forecasters")
    parser.add_argument("--models", nargs="+", default=list(models), choices=MODELS_SHOWN)
    parser.add_argument("--machines", nargs="+", default=list(machines), choices=list(MACHINES))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="seconds; shows nothing")
    found = parser.parse_args()
    if found.data is None:
        print("--data is needed: the folder that holds routing/", file=sys.stderr)
        sys.exit(2)
    if found.quick:
        found.models, found.machines = [QUICK_MODEL], found.machines[:1]
    return found


def stages(found) -> list[Stage]:
    more = {"learned": 24, "tried": 4} if found.quick else {}
    return [
        Stage(data=found.data, model=model, machine=machine, cache=found.cache, **more)
        for model in found.models
        for machine in found.machines
    ]


def swept(tasks: Sequence[Task], processes: int) -> list[dict[str, object]]:
    """Rows of all tasks, in their order."""
    if processes < 2 or len(tasks) < 2:
        return list(chain.from_iterable(task.done() for task in tasks))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return list(chain.from_iterable(pool.map(Task.done, tasks)))


def tabled(found, name: str, rows_of, *, script: str = "", inputs: str, note: str = ""):
    """Every stage's rows, as the table of that name."""
    began = time.monotonic()
    tasks = [Task(stage=stage, rows=rows_of, quick=found.quick) for stage in stages(found)]
    rows = swept(tasks, found.processes)
    write(found, name, rows, began=began, script=script, inputs=inputs, note=note)


def write(found, name: str, rows, *, began: float, script: str = "", inputs: str, note: str = ""):
    """The table, with what it is from."""
    write_table(
        found.out,
        name,
        rows,
        command=f"python tests/evaluation/{script or name}.py --data DATA --out docs/evaluation",
        inputs=inputs,
        profile=STATED,
        seed=SEED,
        seconds=round(time.monotonic() - began, 1),
        **({"note": note} if note else {}),
        **({"quick": True} if found.quick else {}),
    )
