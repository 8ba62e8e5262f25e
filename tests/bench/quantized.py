"""Experts in fewer bits: what they cost in quality, and what they bring in speed.

    python tests/bench/quantized.py quality --model DIR --texts FILE [--count N] [--products exact]
    python tests/bench/quantized.py speed [--threads N]

`quality`: each precision's error of weights and of expert outputs, the share of the router's picks
that stay the same, and the perplexity of texts (JSON lines with `prompt` and `answer`; a sample by
a fixed seed). Everything but the experts is transformers' own, in float32. MXFP4 is rounded here,
as a rival of the same four bits. `speed`: the kernel's time with each format against bfloat16, on
shapes of published models, with more experts than the caches hold; medians, contenders in turns.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import tempfile
import time
from pathlib import Path

import ml_dtypes
import numpy as np
from kernel import mapped

from remoe_functions.checkpoint.block_values import values_of
from remoe_functions.checkpoint.blocks import BlockFormat, BlockTensor
from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.ffn import Activation, ExpertWeights, FfnForm
from remoe_functions.checkpoint.tensors import Dtype, MappedTensor
from remoe_functions.kernel.moe_layer import Precision, forward
from remoe_functions.kernel.native_expert import ExpertTable, NativeExpert
from remoe_functions.quantized.making import quantize

STORED, Q8, Q4, MXFP4 = "stored", "q8", "q4", "mxfp4"
SHAPES = {  # hidden, intermediate
    "Mixtral 8x7B": (4096, 14336),
    "Qwen3-30B-A3B": (2048, 768),
    "DeepSeek-V2-Lite": (2048, 1408),
    "OLMoE": (2048, 1024),
    "GPT-OSS-20B": (2880, 2880),
    "demo model": (576, 1536),
}
ROWS = (1, 2, 4, 16, 64, 256)
WORKING_SET = 192 << 20  # bytes of bfloat16; far beyond the caches
MAGNITUDES = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    quality = commands.add_parser("quality")
    quality.add_argument("--model", type=Path, required=True)
    quality.add_argument("--texts", type=Path, required=True, help="JSON lines: prompt, answer")
    quality.add_argument("--count", type=int, default=60, help="texts")
    quality.add_argument("--seed", type=int, default=6)
    quality.add_argument("--experts", nargs="+", default=[STORED, Q8, Q4, MXFP4])
    quality.add_argument("--products", type=Precision, default=Precision.FAST, choices=Precision)
    quality.set_defaults(run=measure_quality)
    speed = commands.add_parser("speed")
    speed.add_argument("--threads", type=int, default=2)
    speed.add_argument("--rounds", type=int, default=7)
    speed.add_argument("--rows", type=int, nargs="+", default=ROWS)
    speed.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    speed.set_defaults(run=measure_speed)
    options = parser.parse_args()
    options.run(options)


def mxfp4(weights: np.ndarray) -> BlockTensor:
    """Weights [out, in] rounded to MXFP4, by the format's own rule for the exponent."""
    blocks = weights.reshape(len(weights), -1, 32)
    peak = np.abs(blocks).max(axis=-1, keepdims=True)
    exponent = np.floor(np.log2(np.maximum(peak, 1e-30))) - 2
    ratio = np.abs(blocks) / np.exp2(exponent)
    middles = (MAGNITUDES[1:] + MAGNITUDES[:-1]) / 2
    codes = np.searchsorted(middles, ratio).astype(np.uint8) | ((blocks < 0) << 3).astype(np.uint8)
    pairs = codes[..., 0::2] | (codes[..., 1::2] << 4)
    return BlockTensor(
        format=BlockFormat.MXFP4,
        codes=np.ascontiguousarray(pairs.reshape(len(weights), -1)),
        scales=(exponent[..., 0] + 127).astype(np.uint8),
        out_size=weights.shape[0],
        in_size=weights.shape[1],
    )


def floats(matrix: MappedTensor) -> np.ndarray:
    stored = matrix.array
    return (stored.view(ml_dtypes.bfloat16) if matrix.dtype == "BF16" else stored).astype(
        np.float32
    )


def experts_of(model: Path, precision: str, folder: Path) -> tuple[Checkpoint, dict]:
    """The checkpoint and its experts by identity."""
    checkpoint = Checkpoint.open(model)
    if precision in (Q8, Q4):
        path = quantize(checkpoint, BlockFormat(precision), folder / precision)
        checkpoint = Checkpoint.open(model, sidecar=path)
    experts = {expert: checkpoint.expert(expert) for expert in checkpoint.architecture.experts}
    if precision == MXFP4:
        experts = {expert: as_mxfp4(weights) for expert, weights in experts.items()}
    return checkpoint, experts


def as_mxfp4(weights: ExpertWeights) -> ExpertWeights:
    matrices = [mxfp4(floats(matrix)) for matrix in (*weights.up, weights.down)]
    return ExpertWeights(form=weights.form, up=tuple(matrices[:-1]), down=matrices[-1])


class Runner:
    """Computes a model's experts with the kernel, and keeps what the router picked."""

    def __init__(self, architecture, experts, products: Precision) -> None:
        self.picks = []
        self.products = products
        self.tables = {
            layer: ExpertTable(
                NativeExpert.of(experts[expert])
                for expert in architecture.experts
                if expert.layer == layer
            )
            for layer in architecture.layers
        }

    def run(self, layer, hidden, index, weights):
        import torch

        self.picks.append(index.sort(dim=-1).values.cpu().numpy())
        rows = hidden.reshape(-1, hidden.shape[-1]).float().numpy()
        count = np.arange(len(rows), dtype=np.uint32).repeat(index.shape[-1])
        which = index.reshape(-1).numpy().astype(np.uint16)
        shares = weights.reshape(-1).float().numpy()
        out = forward(self.tables[layer], rows, count, which, shares, precision=self.products)
        return torch.from_numpy(out).reshape(hidden.shape).to(hidden.dtype)


def sampled_texts(path: Path, count: int, seed: int) -> list[str]:
    lines = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
    texts = [f"{line['prompt']}\n{line['answer']}" for line in lines if line.get("answer")]
    return random.Random(seed).sample(texts, count)


def perplexity(model, tokenizer, texts: list[str]) -> tuple[float, int]:
    import torch

    total, tokens = 0.0, 0
    with torch.no_grad():
        for text in texts:
            ids = tokenizer(text, return_tensors="pt").input_ids[:, :512]
            logits = model(ids, use_cache=False).logits[0, :-1].double()
            chances = logits.log_softmax(dim=-1)
            total -= chances.gather(1, ids[0, 1:, None]).sum().item()
            tokens += ids.shape[1] - 1
    return math.exp(total / tokens), tokens


def output_error(stored: ExpertWeights, other: ExpertWeights, rows, products) -> float:
    expected, ours = once(stored, rows, Precision.EXACT), once(other, rows, products)
    return float(np.linalg.norm(ours - expected) / np.linalg.norm(expected))


def once(weights: ExpertWeights, rows: np.ndarray, products: Precision) -> np.ndarray:
    count = np.arange(len(rows), dtype=np.uint32)
    ones = np.ones(len(rows), np.float32)
    which = np.zeros(len(rows), np.uint16)
    return forward([NativeExpert.of(weights)], rows, count, which, ones, precision=products)


def weight_error(stored: ExpertWeights, other: ExpertWeights) -> float:
    pairs = [
        (floats(left), values_of(right) if isinstance(right, BlockTensor) else floats(right))
        for left, right in zip((*stored.up, stored.down), (*other.up, other.down), strict=True)
    ]
    wrong = sum(float(np.square(left - right).sum()) for left, right in pairs)
    return math.sqrt(wrong / sum(float(np.square(left).sum()) for left, _ in pairs))


def measure_quality(options: argparse.Namespace) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from remoe_functions.main.seats import seat_experts

    texts = sampled_texts(options.texts, options.count, options.seed)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForCausalLM.from_pretrained(options.model, dtype="float32").eval()
    _, stored = experts_of(options.model, STORED, Path())
    sample = list(stored)[:: max(1, len(stored) // 12)]
    hidden = stored[sample[0]].hidden_size
    rows = np.random.default_rng(options.seed).standard_normal((32, hidden), dtype=np.float32)
    print("| experts | MB | error of weights | error of outputs | same picks | perplexity |")
    print("|---|---|---|---|---|---|")
    first_picks = None
    with tempfile.TemporaryDirectory() as folder:
        for precision in options.experts:
            checkpoint, experts = experts_of(options.model, precision, Path(folder))
            runner = Runner(checkpoint.architecture, experts, options.products)
            seat_experts(model, checkpoint, runner)
            value, tokens = perplexity(model, tokenizer, texts)
            first_picks = first_picks or runner.picks
            same = same_share(first_picks, runner.picks)
            megabytes = sum(weights.nbytes for weights in experts.values()) / 1e6
            wrong = statistics.mean(weight_error(stored[e], experts[e]) for e in sample)
            out = statistics.mean(
                output_error(stored[e], experts[e], rows, options.products) for e in sample
            )
            figures = f"{wrong:.2%} | {out:.2%} | {same:.2%} | {value:.4f} |"
            print(f"| {precision} | {megabytes:.0f} | {figures}", flush=True)
    print(
        f"\n{len(texts)} texts, {tokens} tokens, seed {options.seed}, {options.products} products"
    )


def same_share(left: list[np.ndarray], right: list[np.ndarray]) -> float:
    """The share of a run's picks that the other run has, too, token by token."""
    common = sum(
        (a[..., :, None] == b[..., None, :]).any(axis=-1).sum()
        for a, b in zip(left, right, strict=True)
    )
    return float(common) / sum(a.size for a in left)


def matrix_in(kind: str, out_size: int, in_size: int, draw) -> MappedTensor | BlockTensor:
    """Any weights: their values do not change the time, as long as they are ordinary numbers."""
    if kind == STORED:
        weights = draw.standard_normal((out_size, in_size), dtype=np.float32) / in_size**0.5
        narrow = weights.astype(ml_dtypes.bfloat16).view(np.uint16)
        return MappedTensor.of(narrow, Dtype.BFLOAT16)
    block = BlockFormat(kind)
    shape = block.scale_shape(out_size, in_size)
    scales = np.full(shape, 120, np.uint8) if kind == MXFP4 else np.full(shape, 0x3A00, np.uint16)
    codes = draw.integers(0, 256, block.code_shape(out_size, in_size), np.uint8)
    return BlockTensor(
        format=block,
        codes=codes.view(np.int8) if kind == Q8 else codes,
        scales=scales,
        out_size=out_size,
        in_size=in_size,
    )


def copied(matrix: MappedTensor | BlockTensor) -> MappedTensor | BlockTensor:
    """The same weights in a file's pages of their own."""
    if isinstance(matrix, MappedTensor):
        return MappedTensor.of(mapped(matrix.array), matrix.dtype)
    return BlockTensor(
        format=matrix.format,
        codes=mapped(matrix.codes),
        scales=mapped(matrix.scales),
        out_size=matrix.out_size,
        in_size=matrix.in_size,
    )


def table_of(kind: str, hidden: int, inner: int, count: int) -> ExpertTable:
    """Experts of equal weights, each with its own copy."""
    draw = np.random.default_rng(0)
    shapes = ((inner, hidden), (inner, hidden), (hidden, inner))
    matrices = [matrix_in(kind, *shape, draw) for shape in shapes]
    form = FfnForm(activation=Activation.SILU)
    experts = []
    for _ in range(count):
        gate, up, down = map(copied, matrices)
        experts.append(NativeExpert.of(ExpertWeights(form=form, up=(gate, up), down=down)))
    return ExpertTable(experts)


def measure_speed(options: argparse.Namespace) -> None:
    kinds = (STORED, Q8, Q4, MXFP4)
    print(
        f"{options.threads} threads, medians of {options.rounds}, GB/s of the weights' own bytes\n"
    )
    print("| shape | rows | bf16 | q8 | q4 | mxfp4 | q8/bf16 | q4/bf16 | mxfp4/bf16 |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in options.shapes:
        hidden, inner = SHAPES[name]
        count = max(1, WORKING_SET // (3 * hidden * inner * 2))
        tables = {kind: table_of(kind, hidden, inner, count) for kind in kinds}
        for rows in options.rows:
            times = timed(tables, rows, hidden, options)
            sizes = {kind: sum(expert.nbytes for expert in tables[kind]) for kind in kinds}
            rates = " | ".join(f"{sizes[kind] / times[kind] / 1e9:.1f}" for kind in kinds)
            gains = " | ".join(f"{times[STORED] / times[kind]:.2f}" for kind in kinds[1:])
            print(f"| {name} | {rows} | {rates} | {gains} |", flush=True)


def timed(tables, rows: int, hidden: int, options: argparse.Namespace) -> dict[str, float]:
    """Seconds of a call that has `rows` rows for every expert, by format."""
    count = len(next(iter(tables.values())))
    numbers = np.random.default_rng(1).standard_normal((rows, hidden), dtype=np.float32)
    token_rows = np.tile(np.arange(rows, dtype=np.uint32), count)
    which = np.arange(count, dtype=np.uint16).repeat(rows)
    shares = np.ones(len(which), np.float32)
    taken = {kind: [] for kind in tables}
    for _ in range(options.rounds + 1):
        for kind, table in tables.items():
            began = time.perf_counter()
            forward(
                table,
                numbers,
                token_rows,
                which,
                shares,
                threads=options.threads,
                precision=Precision.FAST,
            )
            taken[kind].append(time.perf_counter() - began)
    return {kind: statistics.median(times[1:]) for kind, times in taken.items()}


if __name__ == "__main__":
    main()
