"""How far resampled routing is like that it was made from: skew, and prompts' divergence.

    python tests/evaluation/likeness.py --data DATA --out docs/evaluation [--quick]

Rows: recorded prompts of at least 128 and 1,024 tokens, whole; requests of 2,048 tokens drawn from
them; the same prompts resized to the shapes of models that nobody recorded; and how far answers go
astray from their prompts, recorded ones and those that stand in for them.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from evaluation.requested import requests_of
from evaluation.table import write_table
from evaluation.traces import RECORDED, load, resized

from remoe_planner.forecasting.divergences import layer_divergences
from remoe_planner.forecasting.outlook import distribution
from remoe_planner.forecasting.shape import RoutingShape
from remoe_simulator.drawing.likeness import Likeness
from remoe_simulator.models import MODELS

SEED = 3
LONG, VERY_LONG = 128, 1024
REQUEST_TOKENS = 2048
PARTS = ("eighth", "quarter", "half")
COMMAND = "python tests/evaluation/likeness.py --data DATA --out docs/evaluation"


def of_texts(trace, rows):
    return Likeness.of(np.stack([trace.counts(row)[0] for row in rows]))


def of_requests(trace, rows, count):
    made = requests_of(
        trace,
        rows,
        prompt_tokens=REQUEST_TOKENS,
        output_tokens=1,
        arrivals=np.arange(count),
        seed=SEED,
    )
    return Likeness.of(np.stack([request.prompt_counts for request in made]))


def astray(trace, rows):
    """Divergence of answers from their own prompts, the mean in bits."""
    counts = np.stack([trace.counts(row) for row in rows]).astype(float)
    shares = distribution(counts)
    return float(layer_divergences(shares[:, 0], shares[:, 1]).mean())


def row(trace, what, prompts, found, **more):
    shape = trace.shape
    return {
        "model": trace.name,
        "what": what,
        "shape": f"{shape.layers} x {shape.experts}, top {shape.top_k}",
        "prompts": prompts,
        **{f"busiest_{part}": share for part, share in zip(PARTS, found.busiest, strict=True)},
        **{f"own_{part}": share for part, share in zip(PARTS, found.own_busiest, strict=True)},
        "from_mean_bits": found.from_mean,
        "between_bits": found.between,
        "answer_to_prompt_bits": None,
        **more,
    }


def rows_of(data, count):
    """The table: the paper's own model first, as recorded, drawn and resized."""
    recorded = load(data, "deepseek-v2-lite")
    order = np.random.default_rng(SEED).permutation(len(recorded))
    lengths = np.array([len(text.prompt) for text in recorded.records])
    some = [n for n in order if lengths[n] >= LONG][:count]
    longest = [n for n in order if lengths[n] >= VERY_LONG][:count]
    apart = {"answer_to_prompt_bits": astray(recorded, some)}
    of_some = of_texts(recorded, some)
    yield row(recorded, f"recorded, >= {LONG} tokens", len(some), of_some, **apart)
    yield row(recorded, f"recorded, >= {VERY_LONG}", len(longest), of_texts(recorded, longest))
    yield row(recorded, f"drawn, {REQUEST_TOKENS}", count, of_requests(recorded, order, count))
    for name, architecture in MODELS.items():
        if name not in RECORDED:
            layers, experts = architecture.shape
            shape = RoutingShape(layers=layers, experts=experts, top_k=architecture.top_k)
            made = resized(recorded, shape, name=name)
            yield row(made, f"resized, >= {LONG} tokens", len(some), of_texts(made, some))


def answered(data, count):
    """The model whose answers were recorded, for how far they go astray."""
    recorded = load(data, "gpt-oss-20b")
    rows = [n for n, text in enumerate(recorded.records) if len(text.answer) >= LONG][:count]
    apart = {"answer_to_prompt_bits": astray(recorded, rows)}
    found = of_texts(recorded, rows)
    return row(recorded, f"recorded, answers >= {LONG}", len(rows), found, **apart)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder that holds routing/")
    parser.add_argument("--model", type=Path, help="not needed, as in every script")
    parser.add_argument("--cache", type=Path, help="not needed, as in every script")
    parser.add_argument("--out", type=Path, default=Path("docs/evaluation"))
    parser.add_argument("--quick", action="store_true", help="few prompts")
    options = parser.parse_args(arguments)
    if options.data is None:
        print("--data is needed: the folder that holds routing/", file=sys.stderr)
        raise SystemExit(2)
    began = time.monotonic()
    count = 12 if options.quick else 200
    rows = [*rows_of(options.data, count), answered(options.data, count)]
    write_table(
        options.out,
        "likeness",
        rows,
        command=COMMAND,
        inputs="DATA/routing: dsv2lite_puffin, gptoss20b",
        seed=SEED,
        quick=options.quick,
        seconds=time.monotonic() - began,
    )
    for made in rows:
        print({k: round(v, 3) if isinstance(v, float) else v for k, v in made.items()})


if __name__ == "__main__":
    main()
