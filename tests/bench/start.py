"""Start of an expert function, from spawn to first answer, against one that imports torch first.

    python tests/bench/start.py --model DIR [--experts N] [--runs N] [--json FILE]

Both serve the same experts of the same checkpoint from a warm page cache and take turns, so that
what the machine does meanwhile happens to both. The answer is to a real call over the wire.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.wire.client import Connection
from remoe_functions.wire.message import Call, WireDtype
from remoe_planner.architecture import Architecture
from remoe_planner.plan import FunctionPlan, Plan

TOKEN = "bench"
NAME = "fn"
OURS = "expert function"
WITH_TORCH = "the same, importing torch"
PRELUDES = {OURS: "", WITH_TORCH: "import torch; "}
CODE = "{}import sys; from remoe_functions.expert.__main__ import main; sys.exit(main())"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start: seconds until ready, until the first answer, and resident memory then."""

    ready_seconds: float
    answer_seconds: float
    memory_bytes: int


def plan_of(architecture: Architecture, count: int) -> Plan:
    experts = tuple(islice(architecture.experts, count))
    function = FunctionPlan(name=NAME, experts=experts, memory_bytes=1 << 30)
    return Plan(architecture=architecture, functions=(function,), main_memory_bytes=1)


def first_call(architecture: Architecture) -> Call:
    return Call(
        call_id=1,
        deadline_seconds=10.0,
        layer=architecture.layers[0],
        rows=np.ones((1, architecture.hidden_size), np.float32),
        dtype=WireDtype.FLOAT32,
        token_rows=np.zeros(1, np.uint32),
        experts=np.zeros(1, np.uint16),
        weights=np.ones(1, np.float32),
    )


def start(prelude: str, model: Path, plan: Path, call: Call) -> Start:
    command = [sys.executable, "-c", CODE.format(prelude), "--model", str(model)]
    command += ["--plan", str(plan), "--function", NAME]
    began = time.perf_counter()
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"REMOE_FUNCTION_TOKEN": TOKEN}
    )
    try:
        address = json.loads(child.stdout.readline())["ready"]
        ready = time.perf_counter() - began
        connection = Connection.open("127.0.0.1", address["port"], token=TOKEN, timeout_seconds=5)
        connection.send(call)
        connection.receive(call.call_id, timeout_seconds=10)
        answered = time.perf_counter() - began
        connection.close()
        memory = resident_bytes(child.pid)
    finally:
        child.terminate()
        child.communicate(timeout=30)
    return Start(ready_seconds=ready, answer_seconds=answered, memory_bytes=memory)


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measure(model: Path, experts: int, runs: int) -> tuple[dict[str, list[Start]], int]:
    checkpoint = Checkpoint.open(model)
    call = first_call(checkpoint.architecture)
    found: dict[str, list[Start]] = {name: [] for name in PRELUDES}
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.json"
        plan.write_text(plan_of(checkpoint.architecture, experts).to_json())
        for prelude in PRELUDES.values():
            start(prelude, model, plan, call)
        for _ in range(runs):
            for name, prelude in PRELUDES.items():
                found[name].append(start(prelude, model, plan, call))
    return found, experts * checkpoint.architecture.expert_bytes


def row(name: str, starts: list[Start]) -> dict[str, object]:
    answers = sorted(each.answer_seconds for each in starts)
    return {
        "function": name,
        "first_answer_ms": round(statistics.median(answers) * 1e3, 1),
        "least_ms": round(answers[0] * 1e3, 1),
        "most_ms": round(answers[-1] * 1e3, 1),
        "ready_ms": round(statistics.median(s.ready_seconds for s in starts) * 1e3, 1),
        "resident_mb": round(statistics.median(s.memory_bytes for s in starts) / 1e6, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="checkpoint folder")
    parser.add_argument("--experts", type=int, default=20, help="experts the function serves")
    parser.add_argument("--runs", type=int, default=9, help="counted starts of each")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    arguments = parser.parse_args()
    found, weights = measure(arguments.model, arguments.experts, arguments.runs)
    rows = [row(name, starts) for name, starts in found.items()]
    ratios = [
        slow.answer_seconds / fast.answer_seconds
        for fast, slow in zip(found[OURS], found[WITH_TORCH], strict=True)
    ]
    print(f"start of a function of {weights / 1e6:.0f} MB, {arguments.runs} runs, medians")
    for each in rows:
        print("  ".join(f"{key} {value}" for key, value in each.items()))
    print(f"torch / ours, pair by pair: median {statistics.median(ratios):.1f}, ", end="")
    print(f"{min(ratios):.1f} to {max(ratios):.1f}")
    if arguments.json:
        body = {"weights_bytes": weights, "rows": rows, "ratios": ratios}
        arguments.json.write_text(json.dumps(body, indent=2) + "\n")


if __name__ == "__main__":
    main()
