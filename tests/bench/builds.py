"""Builds of the native kernel side by side in one process, as shares of plain reading.

    cp functions/src/remoe_functions/kernel/libremoe_kernel.so old.so
    make install
    python tests/bench/builds.py old.so new.so [--shapes demo,qwen3] [--rows 1,4] [--threads 2]

Called natively, so without what Python adds to a call. Contenders take turns of a few calls, each
on experts that the caches have forgotten; the first calls of a turn warm up its own threads, since
every build has a pool of its own. A number is the median over turns of reading's time over a
build's; in brackets the ratio of their quickest tenths, for a machine that is not quiet.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import statistics
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from kernel import SHAPES, World, bits, planes

from remoe_functions.checkpoint.address import address_of
from remoe_functions.kernel.layout import CALL
from remoe_functions.kernel.machine import available
from remoe_functions.kernel.native_expert import ExpertTable, NativeExpert

WARMING, MEASURED = 2, 3  # calls of a turn
LARGE_BYTES = 10**8  # from here on, a call is a turn
LEAST_TURNS = 6
READING = "read"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("builds", type=Path, nargs="+", help="shared libraries; one reads, too")
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--rows", default="1,2,4")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=3.0, help="of each shape and rows")
    parser.add_argument("--weights", default="bf16", help="bf16, q8, q4")
    parser.add_argument("--experts", type=int, default=1, help="in a call, each with all rows")
    parser.add_argument("--exact", action="store_true", help="float32 rows in place of bfloat16")
    options = parser.parse_args()
    builds = {path.stem: loaded(path) for path in options.builds}
    print(f"{options.threads} threads, {options.experts} experts a call, shares of reading\n")
    print(f"| shape | rows | read µs | GB/s | {' | '.join(builds)} | turns |")
    print(f"|---|---:|---:|---:|{'---:|' * len(builds)}---:|")
    for shape in options.shapes.split(","):
        plain = argparse.Namespace(megabytes=420, paths="", rivals="", threads=options.threads)
        world = World(shape, options.weights, plain)
        for rows in map(int, options.rows.split(",")):
            report(shape, rows, Calls.of(world, rows, options), builds, options)


def loaded(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path.resolve()))
    library.remoe_forward.argtypes = [ctypes.c_char_p]
    library.remoe_read.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int64, ctypes.c_int]
    library.remoe_read.restype = ctypes.c_uint64
    return library


@dataclass
class Calls:
    """Prepared calls over different experts, and the same bytes to be read."""

    products: list[bytes]
    parts: list[tuple[bytes, bytes, int]]
    nbytes: int
    kept: list[object]

    @classmethod
    def of(cls, world: World, rows: int, options: argparse.Namespace) -> Calls:
        each = options.experts
        groups = [
            world.experts[first : first + each]
            for first in range(0, len(world.experts) - each + 1, each)
        ]
        tables = [ExpertTable(map(NativeExpert.of, group)) for group in groups]
        x, out = bits(rows, world.hidden), np.empty((rows, world.hidden), np.float32)
        token_rows = np.tile(np.arange(rows, dtype=np.uint32), each)
        which = np.arange(each, dtype=np.uint16).repeat(rows)
        shares = np.ones(len(which), np.float32)
        arrays = [x, token_rows, which, shares, out]
        sizes = rows, len(which), each, world.hidden, True, options.threads
        best = available()[0].number
        addresses = [address_of(array) for array in arrays]
        products = [
            CALL.pack(table.address, *addresses, *sizes, best, not options.exact)
            for table in tables
        ]
        parts = [parts_of(group) for group in groups]
        return cls(products, parts, world.expert_bytes * each, [arrays, tables])


def parts_of(experts) -> tuple[bytes, bytes, int]:
    every = [
        plane
        for expert in experts
        for tensor in (*expert.up, expert.down)
        for plane in planes(tensor)
    ]
    addresses = struct.pack(f"{len(every)}Q", *(address_of(plane) for plane in every))
    return addresses, struct.pack(f"{len(every)}q", *(plane.nbytes for plane in every)), len(every)


def report(
    shape: str,
    rows: int,
    calls: Calls,
    builds: dict[str, ctypes.CDLL],
    options: argparse.Namespace,
) -> None:
    reader = next(iter(builds.values()))
    contenders = {READING: lambda index: reader.remoe_read(*calls.parts[index], options.threads)}
    for name, build in builds.items():
        contenders[name] = lambda index, build=build: build.remoe_forward(calls.products[index])
    times = taken(contenders, calls, options.seconds)
    reading = times.pop(READING)
    seconds = statistics.median(reading)
    shares = " | ".join(share(reading, others) for others in times.values())
    print(
        f"| {shape} | {rows} | {seconds * 1e6:,.0f} | {calls.nbytes / seconds / 1e9:.1f} "
        f"| {shares} | {len(reading)} |",
        flush=True,
    )


def taken(
    contenders: dict[str, Callable[[int], object]], calls: Calls, seconds: float
) -> dict[str, list[float]]:
    """Seconds of each contender's turns; each turn another begins."""
    warming, measured = (0, 1) if calls.nbytes > LARGE_BYTES else (WARMING, MEASURED)
    names, times = list(contenders), {name: [] for name in contenders}
    at, turn, began = 0, 0, time.perf_counter()
    for compute in contenders.values():
        compute(0)
    while time.perf_counter() - began < seconds or turn < LEAST_TURNS:
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            spent = []
            for _ in range(warming + measured):
                at = (at + 1) % len(calls.products)
                start = time.perf_counter()
                contenders[name](at)
                spent.append(time.perf_counter() - start)
            times[name].append(statistics.median(spent[warming:]))
        turn += 1
    return times


def share(reading: list[float], others: list[float]) -> str:
    middle = statistics.median(a / b for a, b in zip(reading, others, strict=True))
    quick = sorted(reading)[len(reading) // 10] / sorted(others)[len(others) // 10]
    return f"{middle:.2f} ({quick:.2f})"


if __name__ == "__main__":
    main()
