"""Every table of the evaluation in its order, then the page; what fails does not stop the rest.

    python tests/evaluation/eval.py --data DATA --model MODEL [--cache DIR] [--out docs/evaluation]
        [--only STEP ...] [--skip STEP ...] [--quick] [--keep]

Quick runs are for trying, in another folder than docs: the page calls their numbers worthless.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Step:
    """One script and the tables that it writes.

    Attributes:
        name: of the script.
        tables: that it writes.
        alone: whether it measures, so that it gets every core; others get one thread each.
    """

    name: str
    tables: tuple[str, ...]
    alone: bool = False


STEPS = (
    Step(
        name="measured",
        tables=("measured", "measured_requests", "measured_timeline", "cold_start"),
        alone=True,
    ),
    Step(name="validation", tables=("validation",)),
    Step(name="likeness", tables=("likeness",)),
    Step(name="ratios", tables=("ratios",)),
    Step(name="omitted", tables=("omitted",)),
    Step(name="network", tables=("network",)),
    Step(name="day", tables=("day", "keep_alive")),
    Step(name="ablations", tables=("ablations",)),
    Step(name="limit", tables=("limit", "gap")),
)
NAMES = tuple(step.name for step in STEPS)
Run = Callable[[list[str], dict[str, str]], int]


def chosen(only: Sequence[str], skip: Sequence[str], there: Callable[[str], bool]) -> list[Step]:
    """The steps to run: those named, or all; without those skipped, and whose tables are there."""
    return [
        step
        for step in STEPS
        if (step.name in only or not only)
        and step.name not in skip
        and not all(there(table) for table in step.tables)
    ]


def command(step: Step, options: argparse.Namespace) -> list[str]:
    words = [sys.executable, str(SCRIPTS / f"{step.name}.py"), "--out", str(options.out)]
    for name in ("data", "model", "cache"):
        value = getattr(options, name)
        words += [] if value is None else [f"--{name}", str(value)]
    return words + (["--quick"] if options.quick else [])


def run_all(steps: Sequence[Step], options: argparse.Namespace, run: Run) -> list[str]:
    """Run each; returns the names of those that failed."""
    failed = []
    for step in steps:
        print(f"== {step.name}: {', '.join(step.tables)}", flush=True)
        began = time.monotonic()
        threads = {} if step.alone else {"OMP_NUM_THREADS": "1"}
        code = run(command(step, options), {**os.environ, **threads})
        failed += [step.name] if code else []
        took = f"{time.monotonic() - began:.0f} s"
        print(f"== {step.name}: {'failed' if code else 'done'} after {took}", flush=True)
    return failed


def subprocess_run(words: list[str], environment: dict[str, str]) -> int:
    return subprocess.run(words, env=environment, check=False, cwd=ROOT).returncode


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of prompts.jsonl, routing/, Azure trace")
    parser.add_argument("--model", type=Path, help="the demo model's folder")
    parser.add_argument("--cache", type=Path, help="folder of what is kept between runs")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "evaluation")
    parser.add_argument("--only", action="append", default=[], choices=NAMES)
    parser.add_argument("--skip", action="append", default=[], choices=NAMES)
    parser.add_argument("--keep", action="store_true", help="leave out steps whose tables exist")
    parser.add_argument("--quick", action="store_true", help="seconds; shows nothing")
    options = parser.parse_args(arguments)
    docs = ROOT / "docs" / "evaluation"
    if options.quick and options.out.resolve() == docs.resolve():
        parser.error(f"--quick shows nothing: name another --out than {docs.relative_to(ROOT)}")
    if options.data is not None and not options.data.is_dir():
        parser.error(f"--data {options.data}: there is no such folder (make eval DATA=DIR)")
    for name in ("data", "model", "cache", "out"):
        value = getattr(options, name)
        setattr(options, name, None if value is None else value.absolute())
    return options


def main() -> None:
    options = options_of()

    def there(table: str) -> bool:
        return options.keep and (options.out / f"{table}.csv").exists()

    steps = chosen(options.only, options.skip, there)
    failed = run_all(steps, options, subprocess_run)
    subprocess_run(
        [sys.executable, str(SCRIPTS / "page.py"), "--tables", str(options.out)], {**os.environ}
    )
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
