"""Start of an expert function, from spawn to first answer, by phases, and the memory it takes.

    python tests/bench/start.py --model DIR [--experts N] [--runs N] [--scratch DIR] [--json FILE]

Four starts take turns, so that what the machine does meanwhile happens to all: from a warm page
cache; the same where Python may keep no compiled modules (the rest have them in a folder of the
bench's own); from a cold cache, beside a plain read of the same bytes; and, for scale, a function
that imports torch first. The answer is to a real call over the wire. The cold start's weights are a
copy in --scratch, which must be on a disk and is dropped from the cache before each run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
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
CHUNK = 1 << 20
WARM, UNCOMPILED, COLD, TORCH = "warm", "no compiled modules", "cold", "warm, torch first"
WITH_TORCH = "import torch; import sys; from remoe_functions.expert.__main__ import main; main()"
PLAIN = ("-P", "-m", "remoe_functions.expert")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way to start."""

    command: tuple[str, ...] = PLAIN
    environment: dict[str, str] = field(default_factory=dict)
    cold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start: seconds until ready and until the first answer, by phase; memory then."""

    ready_seconds: float
    answer_seconds: float
    phases: dict[str, float]
    memory_bytes: dict[str, int]
    raw_seconds: float | None = None


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
        answer_dtype=WireDtype.FLOAT32,
        token_rows=np.zeros(1, np.uint32),
        experts=np.zeros(1, np.uint16),
        weights=np.ones(1, np.float32),
    )


def start(contender: Contender, model: Path, plan: Path, call: Call) -> Start:
    command = [sys.executable, *contender.command, "--model", str(model)]
    command += ["--plan", str(plan), "--function", NAME]
    ours, theirs = socket.socketpair()
    line = {"REMOE_TETHER_FD": str(theirs.fileno()), "REMOE_SPAWNED_AT": repr(time.monotonic())}
    secret = {"REMOE_FUNCTION_TOKEN": TOKEN}
    began = time.perf_counter()
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | secret | contender.environment | line,
        pass_fds=(theirs.fileno(),),
    )
    theirs.close()
    try:
        address = json.loads(child.stdout.readline())["ready"]
        ready = time.perf_counter() - began
        connection = Connection.open("127.0.0.1", address["port"], token=TOKEN, timeout_seconds=5)
        connection.send(call)
        connection.receive(call.call_id, timeout_seconds=10)
        answered = time.perf_counter() - began
        connection.close()
        memory = memory_of(child.pid)
        phases = phases_of(ours)
    finally:
        child.terminate()
        child.communicate(timeout=30)
        ours.close()
    return Start(ready_seconds=ready, answer_seconds=answered, phases=phases, memory_bytes=memory)


def phases_of(line: socket.socket) -> dict[str, float]:
    heard = (json.loads(text) for text in line.recv(1 << 16).decode().splitlines())
    return {said["name"]: said["seconds"] for said in heard if said["kind"] == "phase"}


def memory_of(pid: int) -> dict[str, int]:
    """Resident bytes, the share of them that is this process's, and what is its alone."""
    sums = {"rss": 0, "pss": 0, "private": 0}
    for text in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, size, *_ = text.split()
        place = {"Rss:": "rss", "Pss:": "pss", "Private_Clean:": "private"}.get(name)
        place = "private" if name == "Private_Dirty:" else place
        if place:
            sums[place] += 1024 * int(size)
    return sums


def drop(model: Path) -> None:
    """Have the system forget a folder's files."""
    for path in model.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def ranges_of(checkpoint: Checkpoint, count: int) -> list[tuple[Path, int, int]]:
    """Where a function's bytes lie, neighbors joined."""
    experts = islice(checkpoint.architecture.experts, count)
    pieces = (checkpoint._pieces(expert) for expert in experts)
    found = sorted(
        (shard.path, begin, end)
        for shard, begin, end in (checkpoint._home._range(*p) for ps in pieces for p in ps)
    )
    joined = found[:1]
    for path, begin, end in found[1:]:
        if joined[-1][0] == path and begin == joined[-1][2]:
            joined[-1] = (path, joined[-1][1], end)
        else:
            joined.append((path, begin, end))
    return joined


def raw_read(ranges: list[tuple[Path, int, int]]) -> float:
    """Seconds to read bytes one after the other: the bound of a cold start."""
    buffer = bytearray(CHUNK)
    began = time.perf_counter()
    for path, begin, end in ranges:
        with path.open("rb", buffering=0) as file:
            while begin < end:
                part = memoryview(buffer)[: min(CHUNK, end - begin)]
                begin += os.preadv(file.fileno(), [part], begin)
    return time.perf_counter() - began


def contenders(compiled: Path) -> dict[str, Contender]:
    keeps = {"PYTHONPYCACHEPREFIX": str(compiled), "PYTHONDONTWRITEBYTECODE": ""}
    none = {"PYTHONPYCACHEPREFIX": str(compiled / "none"), "PYTHONDONTWRITEBYTECODE": "1"}
    return {
        WARM: Contender(environment=keeps),
        UNCOMPILED: Contender(environment=none),
        COLD: Contender(environment=keeps, cold=True),
        TORCH: Contender(command=("-P", "-c", WITH_TORCH), environment=keeps),
    }


def measure(model: Path, experts: int, runs: int, scratch: Path) -> tuple[dict, int]:
    checkpoint = Checkpoint.open(model)
    architecture = checkpoint.architecture
    checkpoint.close()
    call = first_call(architecture)
    found = {}
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        plan, copy = Path(folder) / "plan.json", Path(folder) / "model"
        plan.write_text(plan_of(architecture, experts).to_json())
        shutil.copytree(model, copy)
        ranges = ranges_of(Checkpoint.open(copy), experts)
        everyone = contenders(Path(folder) / "compiled")
        for contender in everyone.values():
            start(contender, model, plan, call)
        for _ in range(runs):
            for name, contender in everyone.items():
                found.setdefault(name, []).append(one(contender, model, copy, plan, call, ranges))
    return found, experts * architecture.expert_bytes


def one(
    contender: Contender, model: Path, copy: Path, plan: Path, call: Call, ranges: list
) -> Start:
    if not contender.cold:
        return start(contender, model, plan, call)
    drop(copy)
    raw = raw_read(ranges)
    drop(copy)
    found = start(contender, copy, plan, call)
    return Start(
        ready_seconds=found.ready_seconds,
        answer_seconds=found.answer_seconds,
        phases=found.phases,
        memory_bytes=found.memory_bytes,
        raw_seconds=raw,
    )


def row(name: str, starts: list[Start]) -> dict[str, object]:
    answers = sorted(each.answer_seconds for each in starts)
    phases = {
        phase: round(statistics.median(each.phases[phase] for each in starts) * 1e3, 1)
        for phase in starts[0].phases
    }
    memory = {
        f"{kind} MB": round(statistics.median(s.memory_bytes[kind] for s in starts) / 1e6, 1)
        for kind in starts[0].memory_bytes
    }
    return {
        "start": name,
        "first answer": round(statistics.median(answers) * 1e3, 1),
        "least": round(answers[0] * 1e3, 1),
        "most": round(answers[-1] * 1e3, 1),
        **phases,
        **memory,
    }


def print_table(rows: list[dict[str, object]]) -> None:
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + "---|" * len(rows[0]))
    for each in rows:
        print("| " + " | ".join(map(str, each.values())) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="checkpoint folder")
    parser.add_argument("--experts", type=int, default=20, help="experts the function serves")
    parser.add_argument("--runs", type=int, default=9, help="counted starts of each")
    parser.add_argument("--scratch", type=Path, help="folder on a disk, for a copy of the model")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    arguments = parser.parse_args()
    found, weights = measure(arguments.model, arguments.experts, arguments.runs, arguments.scratch)
    rows = [row(name, starts) for name, starts in found.items()]
    print(f"start of a function of {weights / 1e6:.0f} MB, milliseconds, {arguments.runs} runs\n")
    print_table(rows)
    raw = statistics.median(each.raw_seconds for each in found[COLD])
    cold = [each.answer_seconds / each.raw_seconds for each in found[COLD]]
    added = statistics.median(each.answer_seconds for each in found[COLD]) - statistics.median(
        each.answer_seconds for each in found[WARM]
    )
    print(f"\nplain read of the same bytes, cold: {raw * 1e3:.1f} ms; a cold start takes ", end="")
    print(f"{statistics.median(cold):.2f} times that, {added * 1e3:.1f} ms more than a warm one")
    if arguments.json:
        body = {"weights_bytes": weights, "rows": rows, "raw_read_ms": round(raw * 1e3, 1)}
        arguments.json.write_text(json.dumps(body, indent=2) + "\n")


if __name__ == "__main__":
    main()
