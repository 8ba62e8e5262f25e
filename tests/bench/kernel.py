"""An expert's product, shapes x rows x paths, against reading its bytes and against the rivals.

    python tests/bench/kernel.py [--shapes mixtral,qwen3] [--rows 1,16] [--paths avx2] [--threads 2]

    python tests/bench/kernel.py --threads 2 --rows 1,2,4,16,64,256 --sweeps 3 --rivals torch-bf16
    python tests/bench/kernel.py --rows 1,16 --paths all --sweeps 3 --rivals torch-bf16

Every contender sweeps over the same experts, together larger than the caches, so that each finds
its weights in memory; sweeps take turns, so that what the machine does meanwhile happens to all.
Weights are a file's mapped pages, as a checkpoint's are: pages of a process's own memory are read
at 0.7 to 1 times that speed, which falsified these figures before. A number is the median over the
sweeps, a sweep the median over its experts; in brackets is the ratio of the quickest sweeps, which
is the one to trust on a busy machine. The bound is the native
read loop over the same bytes with the same threads. torch's bfloat16 linear is oneDNN's product
where the processor has bfloat16 instructions (`torch.backends.mkldnn`), so it stands for both.
"""

from __future__ import annotations

import argparse
import mmap
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SHAPES = {  # hidden, intermediate, gpt-oss's form
    "mixtral": (4096, 14336, False),
    "qwen3": (2048, 768, False),
    "deepseek": (2048, 1408, False),
    "olmoe": (2048, 1024, False),
    "gpt-oss": (2880, 2880, True),
    "demo": (576, 1536, False),
}
ROWS = (1, 2, 4, 16, 64, 256, 512)
MEGABYTES = 420
BUSY_ROWS = 16  # from here on, a sweep is over fewer experts: the time is the arithmetic's
LEAST_EXPERTS = 2
BOUND = "read"


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--rows", default=",".join(map(str, ROWS)))
    parser.add_argument("--paths", default="", help="instruction sets, or all; the best by default")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--sweeps", type=int, default=7)
    parser.add_argument("--megabytes", type=int, default=MEGABYTES)
    parser.add_argument("--rivals", default="torch-bf16,torch-f32,numpy")
    parser.add_argument(
        "--cpu-time", action="store_true", help="on a busy machine; one thread only"
    )
    options = parser.parse_args()
    if options.cpu_time and options.threads != 1:
        parser.error("--cpu-time counts the calling thread alone: it needs --threads 1")
    return options


def main() -> None:
    options = parsed()
    # Read by the BLAS of numpy when it is loaded, so before anything else.
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(options.threads)
    print(
        f"{options.threads} threads, {options.sweeps} sweeps, {options.megabytes} MB of weights\n"
    )
    print(
        "| shape | rows | contender | µs | GB/s | GFLOP/s | of the bound | x torch-bf16 | spread |"
    )
    print("|---|---:|---|---:|---:|---:|---:|---:|---|")
    for shape in options.shapes.split(","):
        world = World(shape, options)
        for rows in map(int, options.rows.split(",")):
            report(world, rows, world.times(rows))


@dataclass
class Times:
    """Seconds of each sweep."""

    sweeps: list[float]

    @property
    def median(self):
        return statistics.median(self.sweeps)

    def ratio(self, other: Times) -> str:
        """How many times quicker than another: of medians, and of the quickest."""
        best = min(other.sweeps) / min(self.sweeps)
        return f"{other.median / self.median:.2f} ({best:.2f})"


def report(world: World, rows: int, times: dict[str, Times]) -> None:
    flops = 6 * rows * world.hidden * world.intermediate
    rival = times.get("torch-bf16")
    for name, each in times.items():
        seconds, spread = each.median, sorted(each.sweeps)
        ratio = each.ratio(rival) if rival else ""
        print(
            f"| {world.name} | {rows} | {name} | {seconds * 1e6:,.0f} "
            f"| {world.expert_bytes / seconds / 1e9:.1f} | {flops / seconds / 1e9:.0f} "
            f"| {each.ratio(times[BOUND])} | {ratio} "
            f"| {spread[0] * 1e6:,.0f} to {spread[-1] * 1e6:,.0f} |",
            flush=True,
        )


class World:
    """Experts of one shape, and all who can compute them."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        from remoe_functions.kernel.machine import InstructionSet, available

        self.name, self.options = name, options
        self.hidden, self.intermediate, self.fused = SHAPES[name]
        self.expert_bytes = 6 * self.hidden * self.intermediate
        count = max(LEAST_EXPERTS, -(-options.megabytes * 10**6 // self.expert_bytes))
        self.experts = [self._expert(seed) for seed in range(count)]
        wanted = options.paths.split(",") if options.paths else available()[:1]
        wanted = available() if options.paths == "all" else wanted
        self.paths = [InstructionSet(path) for path in wanted]

    def _expert(self, seed: int):
        from remoe_functions.checkpoint.ffn import Activation, ExpertWeights, FfnForm

        hidden, middle = self.hidden, self.intermediate
        if self.fused:
            form = FfnForm(
                activation=Activation.CLAMPED_SWIGLU,
                fused=True,
                interleaved=True,
                transposed=True,
                alpha=1.702,
                limit=7.0,
            )
            up, down = (matrix(hidden, 2 * middle, seed),), matrix(middle, hidden, -seed)
        else:
            form = FfnForm(activation=Activation.SILU)
            up = matrix(middle, hidden, seed), matrix(middle, hidden, seed + 1)
            down = matrix(hidden, middle, -seed)
        return ExpertWeights(form=form, up=up, down=down)

    def times(self, rows: int) -> dict[str, Times]:
        count = len(self.experts)
        if rows > BUSY_ROWS:
            count = max(LEAST_EXPERTS, count * BUSY_ROWS // rows)
        contenders = {BOUND: self._reader(), **self._native(rows), **self._rivals(rows)}
        times = {name: Times([]) for name in contenders}
        clock = time.thread_time if self.options.cpu_time else time.perf_counter
        for sweep in range(self.options.sweeps + 1):
            for name, compute in contenders.items():
                seconds = swept(compute, count, clock)
                if sweep:  # the first warms up
                    times[name].sweeps.append(seconds)
        return times

    def _reader(self) -> Callable[[int], object]:
        from remoe_functions.kernel.library import read
        from remoe_functions.kernel.native_expert import address_of

        parts = [
            [(address_of(tensor.array), tensor.nbytes) for tensor in (*expert.up, expert.down)]
            for expert in self.experts
        ]
        return lambda index: read(parts[index], threads=self.options.threads)

    def _native(self, rows: int) -> dict[str, Callable[[int], object]]:
        from remoe_functions.kernel.moe_layer import Precision, forward
        from remoe_functions.kernel.native_expert import ExpertTable, NativeExpert

        tables = [ExpertTable([NativeExpert.of(expert)]) for expert in self.experts]
        x, out = bits(rows, self.hidden), np.empty((rows, self.hidden), np.float64)
        pairs = np.arange(rows, dtype=np.uint32), np.zeros(rows, np.uint16)
        shares = np.ones(rows, np.float32)

        def contender(path, precision):
            return lambda index: forward(
                tables[index],
                x,
                *pairs,
                shares,
                out=out,
                threads=self.options.threads,
                precision=precision,
                instructions=path,
            )

        return {
            f"{path}, {precision}": contender(path, precision)
            for path in self.paths
            for precision in Precision
        }

    def _rivals(self, rows: int) -> dict[str, Callable[[int], object]]:
        named = filter(None, self.options.rivals.split(","))
        made = {"torch-bf16": self._torch, "torch-f32": self._torch32, "numpy": self._numpy}
        return {name: made[name](rows) for name in named}

    def _torch(self, rows: int) -> Callable[[int], object]:
        import torch

        from remoe_functions.main.torch_expert import TorchExpert

        torch.set_num_threads(self.options.threads)
        experts = [TorchExpert.of(expert, torch.bfloat16) for expert in self.experts]
        x = torch.from_numpy(bits(rows, self.hidden)).view(torch.bfloat16)
        return lambda index: experts[index](x)

    def _torch32(self, rows: int) -> Callable[[int], object]:
        import torch

        from remoe_functions.main.torch_expert import TorchExpert

        # Twice the bytes, so half of the experts are as much to sweep over.
        some = max(1, len(self.experts) // 2)
        experts = [TorchExpert.of(expert, torch.float32) for expert in self.experts[:some]]
        x = torch.from_numpy(bits(rows, self.hidden)).view(torch.bfloat16).float()
        return lambda index: experts[index % some](x)

    def _numpy(self, rows: int) -> Callable[[int], object]:
        import ml_dtypes

        from remoe_functions.expert.kernel import NumpyKernel

        kernel = NumpyKernel()
        x = bits(rows, self.hidden).view(ml_dtypes.bfloat16).astype(np.float32)
        return lambda index: kernel.forward(self.experts[index], x)


def matrix(height: int, width: int, seed: int):
    """Small bfloat16 numbers, quickly made, in a mapped file."""
    from remoe_functions.checkpoint.tensors import Dtype, MappedTensor

    random = np.random.default_rng(abs(seed))
    array = random.integers(0, 1 << 16, (height, width), dtype=np.uint16)
    array &= 0x80FF
    array |= 0x3C00  # magnitudes of 0.008 to 0.03
    return MappedTensor.of(mapped(array), Dtype.BFLOAT16)


def mapped(array: np.ndarray) -> np.ndarray:
    """The same numbers as pages of a file that is gone when they are."""
    with tempfile.TemporaryFile() as file:
        file.write(array.data)
        file.flush()
        pages = mmap.mmap(file.fileno(), array.nbytes, prot=mmap.PROT_READ)
    return np.frombuffer(pages, array.dtype).reshape(array.shape)


def bits(rows: int, hidden: int) -> np.ndarray:
    """Rows of bfloat16, as their bits."""
    import ml_dtypes

    values = np.random.default_rng(1).standard_normal((rows, hidden))
    return values.astype(ml_dtypes.bfloat16).view(np.uint16)


def swept(compute: Callable[[int], object], count: int, clock: Callable[[], float]) -> float:
    """Median seconds of an expert."""
    seconds = []
    for index in range(count):
        began = clock()
        compute(index)
        seconds.append(clock() - began)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
