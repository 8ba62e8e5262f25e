"""Real routing traces as counts by prompt, and splits in which no text is on both sides."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from remoe_planner.architecture import Architecture
from remoe_planner.demand.routing import Routing
from remoe_planner.forecasting.context_keys import word_classes
from remoe_planner.forecasting.routed_prompt import Query, RoutedPrompt
from remoe_planner.forecasting.shape import RoutingShape

MODELS = {
    "dsv2lite_puffin": ("tokens", 64, 2048, 17_301_504, 2_600_000_000),
    "gptoss20b": ("generated_tokens", 32, 2880, 13_000_000, 3_000_000_000),
    "qwen15moe_gsm8k25": ("tokens", 60, 2048, 17_301_504, 4_000_000_000),
}
"""By trace: where its tokens stand, experts a layer, width, bytes of an expert and of the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Prompts of a trace: `counts` [n, layers, experts], `tokens` [n], `texts` [n] ids of texts."""

    name: str
    shape: RoutingShape
    architecture: Architecture
    prompts: list[RoutedPrompt]
    counts: np.ndarray
    tokens: np.ndarray
    texts: np.ndarray
    words: np.ndarray | None

    def routing(self, rows):
        counts, tokens = self.counts[rows].astype(np.uint32), self.tokens[rows].astype(np.uint32)
        total = counts.sum(axis=0, dtype=float)
        shares = total / total.sum(axis=1, keepdims=True)
        return Routing(prefill=shares, decode=shares, samples=counts, sample_tokens=tokens)

    def halves(self, seed):
        """Rows to learn from and rows to judge by; all prompts of a text on one side."""
        side = np.random.default_rng(seed).permutation(self.texts.max() + 1)[self.texts] % 2
        return np.flatnonzero(side == 0), np.flatnonzero(side == 1)


def load(directory, name):
    key, experts, hidden, expert_bytes, main_bytes = MODELS[name]
    arrays = np.load(directory / f"{name}.npz")
    lines = [json.loads(line) for line in (directory / f"{name}.jsonl").open()]
    routed, offsets = arrays["topk_ids"], arrays["offsets"]
    layers, top_k = routed.shape[1:]
    shape = RoutingShape(layers=layers, experts=experts, top_k=top_k)
    ids: dict = {}
    prompts, texts = [], []
    for line, start, end in zip(lines, offsets, offsets[1:], strict=False):
        rows = routed[start:end]
        spelled = (line.get(key) or [])[: len(rows)]
        spelled += [None] * (len(rows) - len(spelled))
        tokens = np.array([ids.setdefault(token, len(ids)) for token in spelled], np.int64)
        if len(rows):
            prompts.append(RoutedPrompt(query=Query(tokens=tokens), experts=rows))
            texts.append(line["prompt"])
    spellings = [token if isinstance(token, str) else "" for token in ids]
    return Counted(
        name=name,
        shape=shape,
        architecture=Architecture(
            name=name,
            revision="trace",
            layers=tuple(range(1, layers + 1)),
            experts_per_layer=experts,
            top_k=top_k,
            hidden_size=hidden,
            expert_bytes=expert_bytes,
            main_bytes=main_bytes,
        ),
        prompts=prompts,
        counts=np.stack([p.counts(shape) for p in prompts]),
        tokens=np.array([len(p.experts) for p in prompts]),
        texts=np.unique(texts, return_inverse=True)[1],
        words=word_classes(spellings),
    )


def markdown(header, rows):
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
