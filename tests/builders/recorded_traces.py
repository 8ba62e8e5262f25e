"""A folder of recorded routing as published traces come, and a trace in memory."""

import json

import numpy as np
from builders.routed_texts import SHAPE, routed_texts
from evaluation.traces import Trace

from remoe_planner.forecasting.context_keys import word_classes
from remoe_planner.forecasting.shape import RoutingShape


def trace(count=40, *, tokens=24, answer_tokens=0, shape=SHAPE, seed=0):
    """Texts of four topics; each topic has its own words, and every text its own start."""
    records = routed_texts(
        count, shape=shape, tokens=tokens, answer_tokens=answer_tokens, seed=seed
    )
    generator = np.random.default_rng(seed)
    ids = [20 * (n % 4) + generator.integers(0, 20, size=tokens) for n in range(count)]
    spellings = [f"w{number}" for number in range(80)]
    return Trace(
        name="tiny",
        shape=shape,
        texts=[f"{n} " + " ".join(spellings[i] for i in row) for n, row in enumerate(ids)],
        records=records,
        tokens=ids,
        words=word_classes(spellings),
        marked="Made up.",
    )


def deepseek_folder(folder, *, prompts=6, tokens=18):
    """`routing/dsv2lite_puffin`: so many prompts, and one that is too short to be used."""
    shape = RoutingShape(layers=3, experts=64, top_k=6)
    records = routed_texts(prompts + 1, shape=shape, tokens=tokens)
    sizes = [tokens] * prompts + [3]
    lines = [
        {"prompt": f"prompt {n} " + "x" * n, "tokens": ["<s>", *(f"t{n}-{i}" for i in range(size))]}
        for n, size in enumerate(sizes)
    ]
    rows = [text.prompt[:size] for text, size in zip(records, sizes, strict=True)]
    _write(folder, "dsv2lite_puffin", rows, lines)
    return rows


def gptoss_folder(folder, *, prompts=5, tokens=60):
    """`routing/gptoss20b`: answers alone."""
    shape = RoutingShape(layers=2, experts=32, top_k=4)
    rows = [text.prompt for text in routed_texts(prompts, shape=shape, tokens=tokens)]
    spelled = [f"t{i}" for i in range(tokens)]
    lines = [{"prompt": f"question {n}", "generated_tokens": spelled} for n in range(prompts)]
    _write(folder, "gptoss20b", rows, lines)
    return rows


def _write(folder, name, rows, lines):
    place = folder / "routing"
    place.mkdir(exist_ok=True)
    offsets = np.cumsum([0, *(len(row) for row in rows)])
    routed = np.concatenate(rows).astype(np.int8)
    np.savez(place / f"{name}.npz", topk_ids=routed, offsets=offsets)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (place / f"{name}.jsonl").write_text(text, "utf-8")
