"""An expert's product, shapes x rows x paths, against reading its bytes and against the rivals.

    python tests/bench/kernel.py [--shapes mixtral,qwen3] [--rows 1,16] [--paths avx2] [--threads 2]

    python tests/bench/kernel.py --threads 2 --rows 1,2,4,16,64,256 --sweeps 3 --rivals torch-bf16
    python tests/bench/kernel.py --rows 1,16 --paths all --sweeps 3 --rivals torch-bf16
    python tests/bench/kernel.py --weights bf16,q8,q4 --precisions fast --rivals ggml --ggml DIR

Every contender sweeps over the same experts, together larger than the caches, so that each finds
its weights in memory; sweeps take turns, so that what the machine does meanwhile happens to all.
Weights are a file's mapped pages, as a checkpoint's are: pages of a process's own memory are read
at 0.7 to 1 times that speed, which falsified these figures before. A number is the median over the
sweeps, a sweep the median over its experts; in brackets is the ratio of the quickest sweeps, which
is the one to trust on a busy machine. The bound is the native
read loop over the same bytes with the same threads. torch's bfloat16 linear is oneDNN's product
where the processor has bfloat16 instructions (`torch.backends.mkldnn`), so it stands for both.
ggml's (llama.cpp's; ggml_expert.py) is of its own type of as many bits: bf16, q8_0 or q4_0, plain
and, where it has one for this machine, repacked; the ratio is to the quicker of the two. It has no
product for gpt-oss' order of numbers, so there it computes as many in its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import mmap
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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
PAUSE_SECONDS = 0.01  # longer than an idle pool of OpenMP spins
BOUND = "read"
WEIGHTS = {"bf16": "BF16", "q8": "Q8_0", "q4": "Q4_0"}  # ours: ggml's of as many bits


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--rows", default=",".join(map(str, ROWS)))
    parser.add_argument("--paths", default="", help="instruction sets, or all; the best by default")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--sweeps", type=int, default=7)
    parser.add_argument("--megabytes", type=int, default=MEGABYTES)
    parser.add_argument("--weights", default="bf16", help=", ".join(WEIGHTS))
    parser.add_argument("--precisions", default="exact,fast")
    parser.add_argument("--rivals", default="torch-bf16,torch-f32,numpy", help="ggml, too")
    parser.add_argument("--ggml", type=Path, help="folder of libggml-base.so and libggml-cpu.so")
    parser.add_argument(
        "--cpu-time", action="store_true", help="on a busy machine; one thread only"
    )
    options = parser.parse_args()
    if options.cpu_time and options.threads != 1:
        parser.error("--cpu-time counts the calling thread alone: it needs --threads 1")
    if "ggml" in options.rivals and not options.ggml:
        parser.error("--rivals ggml needs --ggml")
    return options


def main() -> None:
    options = parsed()
    # Read by the BLAS of numpy when it is loaded, so before anything else.
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(options.threads)
    print(
        f"{options.threads} threads, {options.sweeps} sweeps, {options.megabytes} MB of weights\n"
    )
    print(
        "| shape | rows | weights | contender | µs | GB/s | GFLOP/s | of the bound "
        "| x torch-bf16 | x ggml | spread |"
    )
    print("|---|---:|---|---|---:|---:|---:|---:|---:|---:|---|")
    for shape in options.shapes.split(","):
        for weights in options.weights.split(","):
            world = World(shape, weights, options)
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
    ggml = min(
        (each for name, each in times.items() if name.startswith("ggml")),
        key=lambda each: each.median,
        default=None,
    )
    for name, each in times.items():
        seconds, spread = each.median, sorted(each.sweeps)
        ratios = [each.ratio(other) if other else "" for other in (times[BOUND], rival, ggml)]
        print(
            f"| {world.name} | {rows} | {world.weights} | {name} | {seconds * 1e6:,.0f} "
            f"| {world.expert_bytes / seconds / 1e9:.1f} | {flops / seconds / 1e9:.0f} "
            f"| {' | '.join(ratios)} | {spread[0] * 1e6:,.0f} to {spread[-1] * 1e6:,.0f} |",
            flush=True,
        )


class World:
    """Experts of one shape, and all who can compute them."""

    def __init__(self, name: str, weights: str, options: argparse.Namespace) -> None:
        from remoe_functions.kernel.machine import InstructionSet, available

        self.name, self.weights, self.options = name, weights, options
        self.hidden, self.intermediate, fused = SHAPES[name]
        self.fused = fused and weights == "bf16"
        first = self._expert(1) if weights == "bf16" else self._in_blocks()
        self.expert_bytes = first.nbytes
        count = max(LEAST_EXPERTS, -(-options.megabytes * 10**6 // self.expert_bytes))
        again = self._expert if weights == "bf16" else lambda _: copied(first)
        self.experts = [again(seed) for seed in range(count)]
        wanted = options.paths.split(",") if options.paths else available()[:1]
        wanted = available() if options.paths == "all" else wanted
        self.paths = [InstructionSet(path) for path in wanted]
        self.ggml_experts = self._ggml_experts() if "ggml" in options.rivals else {}

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

    def _floats(self) -> list[np.ndarray]:
        """Gate, up and down, [out, in]."""
        hidden, middle = self.hidden, self.intermediate
        random = np.random.default_rng(0)
        return [
            random.standard_normal(shape, dtype=np.float32) / shape[1] ** 0.5
            for shape in ((middle, hidden), (middle, hidden), (hidden, middle))
        ]

    def _in_blocks(self):
        """One whose weights really are rounded; the others are copies: values cost no time."""
        from remoe_functions.checkpoint.blocks import BlockFormat, BlockTensor
        from remoe_functions.checkpoint.ffn import Activation, ExpertWeights, FfnForm
        from remoe_functions.quantized.rounding import rounded

        kind = BlockFormat(self.weights)
        made = [(rounded(weights, kind), weights.shape) for weights in self._floats()]
        gate, up, down = (
            BlockTensor(
                format=kind,
                codes=np.ascontiguousarray(each.codes),
                scales=np.ascontiguousarray(each.scales),
                out_size=height,
                in_size=width,
            )
            for each, (height, width) in made
        )
        return ExpertWeights(form=FfnForm(activation=Activation.SILU), up=(gate, up), down=down)

    def _ggml_experts(self):
        """ggml's experts by name; in bfloat16 they are our very pages."""
        from ggml_expert import Ggml, GgmlExpert, Type, experts_of

        self.ggml = Ggml(self.options.ggml, self.options.threads)
        kind, count = Type[WEIGHTS[self.weights]], len(self.experts)
        if kind is Type.BF16:
            parts = map(self._in_ggmls_order, self.experts)
            return {"ggml BF16": [GgmlExpert(self.ggml, kind, part) for part in parts]}
        floats = self._floats()
        made = {
            f"ggml {kind.name}{name}": experts_of(
                self.ggml, kind, floats, count, mapped, repacked=bool(name)
            )
            for name in ("", ", repacked")
        }
        return {name: experts for name, experts in made.items() if experts}

    def _in_ggmls_order(self, expert) -> list[np.ndarray]:
        up = [tensor.array.reshape(-1, self.hidden) for tensor in expert.up]
        if self.fused:
            up = [up[0][: self.intermediate], up[0][self.intermediate :]]
        return [*up, expert.down.array.reshape(self.hidden, self.intermediate)]

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
        from remoe_functions.checkpoint.address import address_of
        from remoe_functions.kernel.library import read

        parts = [
            [
                (address_of(plane), plane.nbytes)
                for tensor in (*expert.up, expert.down)
                for plane in planes(tensor)
            ]
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
            for precision in map(Precision, self.options.precisions.split(","))
        }

    def _rivals(self, rows: int) -> dict[str, Callable[[int], object]]:
        named = filter(None, self.options.rivals.split(","))
        made = {
            "torch-bf16": self._torch,
            "torch-f32": self._torch32,
            "numpy": self._numpy,
            "ggml": self._ggml,
        }
        plain = self.weights == "bf16"
        every = (made[name](rows) for name in named if plain or name == "ggml")
        return {name: compute for some in every for name, compute in some.items()}

    def _ggml(self, rows: int) -> dict[str, Callable[[int], object]]:
        import ml_dtypes
        from ggml_expert import GgmlRun

        x = bits(rows, self.hidden).view(ml_dtypes.bfloat16).astype(np.float32)
        return {name: GgmlRun(self.ggml, experts, x) for name, experts in self.ggml_experts.items()}

    def _torch(self, rows: int) -> dict[str, Callable[[int], object]]:
        import torch

        from remoe_functions.main.torch_expert import TorchExpert

        torch.set_num_threads(self.options.threads)
        experts = [TorchExpert.of(expert, torch.bfloat16) for expert in self.experts]
        x = torch.from_numpy(bits(rows, self.hidden)).view(torch.bfloat16)
        return {"torch-bf16": lambda index: experts[index](x)}

    def _torch32(self, rows: int) -> dict[str, Callable[[int], object]]:
        import torch

        from remoe_functions.main.torch_expert import TorchExpert

        # Twice the bytes, so half of the experts are as much to sweep over.
        some = max(1, len(self.experts) // 2)
        experts = [TorchExpert.of(expert, torch.float32) for expert in self.experts[:some]]
        x = torch.from_numpy(bits(rows, self.hidden)).view(torch.bfloat16).float()
        return {"torch-f32": lambda index: experts[index % some](x)}

    def _numpy(self, rows: int) -> dict[str, Callable[[int], object]]:
        import ml_dtypes

        from remoe_functions.expert.kernel import NumpyKernel

        kernel = NumpyKernel()
        x = bits(rows, self.hidden).view(ml_dtypes.bfloat16).astype(np.float32)
        return {"numpy": lambda index: kernel.forward(self.experts[index], x)}


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


def planes(tensor) -> list[np.ndarray]:
    """The arrays a matrix is read from."""
    return [tensor.codes, tensor.scales] if hasattr(tensor, "codes") else [tensor.array]


def copied(expert):
    """The same weights in blocks, in pages of their own."""
    up = tuple(in_own_pages(tensor) for tensor in expert.up)
    return dataclasses.replace(expert, up=up, down=in_own_pages(expert.down))


def in_own_pages(tensor):
    return dataclasses.replace(tensor, codes=mapped(tensor.codes), scales=mapped(tensor.scales))


def bits(rows: int, hidden: int) -> np.ndarray:
    """Rows of bfloat16, as their bits."""
    import ml_dtypes

    values = np.random.default_rng(1).standard_normal((rows, hidden))
    return values.astype(ml_dtypes.bfloat16).view(np.uint16)


def swept(compute: Callable[[int], object], count: int, clock: Callable[[], float]) -> float:
    """Median seconds of an expert; the threads of who came before have gone to sleep."""
    time.sleep(PAUSE_SECONDS)
    compute(count - 1)
    seconds = []
    for index in range(count):
        began = clock()
        compute(index)
        seconds.append(clock() - began)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
