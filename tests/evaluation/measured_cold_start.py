"""What a first token waits for, phase by phase, where parts slept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
from evaluation.measured_run import EVERYTHING, FUNCTIONS

WORDS = {
    "process": "start the process",
    "python": "start Python",
    "imports": "import",
    "import": "import",
    "map": "map the checkpoint",
    "weights": "read weights",
    "warm-up": "rehearse a pass",
    "first_touch": "touch weights",
    "ready": "say that it is ready",
}
PASS = "forecast, hand over, first pass"
BORROWING = "first pass, experts of sleeping functions borrowed"
ONE = "one function, beside the request"
Row = dict[str, object]


def cold_rows(run: Mapping[str, Any]) -> Iterable[Row]:
    """Rows of each situation that the run had, phases in order of time."""
    starts = run["starts"].values()
    main = [start["phases"] for start in starts if start["kind"] == "main"]
    functions = [start["phases"] for start in starts if start["kind"] == "function"]
    first = [o["ttft_seconds"] for o in run["requests"] if o["rested"] == EVERYTHING]
    if first and main:
        yield from _phases(run["name"], EVERYTHING, main)
        started = median(sum(phases.values()) for phases in main)
        rest = [max(ttft - started, 0.0) for ttft in first]
        yield _row(run["name"], EVERYTHING, PASS, rest, "what is left of the time to first token")
    if functions:
        borrowed = [o["ttft_seconds"] for o in run["requests"] if o["rested"] == FUNCTIONS]
        if borrowed:
            yield _row(run["name"], FUNCTIONS, BORROWING, borrowed, "")
        yield from _phases(run["name"], ONE, functions)


def _phases(name: str, situation: str, starts: Sequence[Mapping[str, float]]) -> Iterable[Row]:
    for phase in dict.fromkeys(phase for phases in starts for phase in phases):
        seconds = [phases[phase] for phases in starts if phase in phases]
        yield _row(name, situation, WORDS.get(phase, phase), seconds, "")


def _row(name: str, situation: str, phase: str, seconds: Sequence[float], note: str) -> Row:
    return {
        "contender": name,
        "profile": "measured",
        "situation": situation,
        "phase": phase,
        "seconds": median(seconds),
        "p95_seconds": float(np.quantile(seconds, 0.95)),
        "samples": len(seconds),
        "note": note,
    }
