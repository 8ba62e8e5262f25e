"""Traces of real routing as the forecast's bench reads them, and their splits."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from remoe_planner.forecasting.context_keys import word_classes
from remoe_planner.forecasting.routed_prompt import Query, RoutedPrompt
from remoe_planner.forecasting.shape import RoutingShape


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Real prompts and their routing.

    `asked` is each prompt in the tokens of the embedding table at hand (the model's own where the
    trace has them), `actual` [prompts, layers, experts] the frequencies to be foretold.
    """

    name: str
    shape: RoutingShape
    prompts: list[RoutedPrompt]
    texts: list[str]
    asked: list[np.ndarray]
    actual: np.ndarray
    sizes: np.ndarray
    words: np.ndarray | None = None
    loops: np.ndarray | None = None


def published(directory, name, experts, key, tokenizer):
    """One of the published traces; `key` names the tokens that its rows belong to."""
    arrays = np.load(directory / f"{name}.npz")
    lines = [json.loads(line) for line in (directory / f"{name}.jsonl").open()]
    routed, offsets = arrays["topk_ids"], arrays["offsets"]
    ids: dict = {}
    prompts = []
    for line, start, end in zip(lines, offsets, offsets[1:], strict=False):
        tokens = np.array([ids.setdefault(t, len(ids)) for t in line[key]][: end - start], np.int64)
        rows = routed[start : start + len(tokens)][: line.get("n_prefill")]
        prompts.append(RoutedPrompt(query=Query(tokens=tokens[: len(rows)]), experts=rows))
    shape = RoutingShape(layers=routed.shape[1], experts=experts, top_k=routed.shape[2])
    texts = [line["prompt"] for line in lines]
    return Trace(
        name=name,
        shape=shape,
        prompts=prompts,
        texts=texts,
        asked=[np.array(tokenizer.encode(text).ids, np.int64) for text in texts],
        actual=np.stack([p.frequencies(shape) for p in prompts]),
        sizes=np.array([len(p.experts) for p in prompts]),
        words=word_classes(list(ids)) if isinstance(next(iter(ids)), str) else None,
        loops=np.array([line.get("has_repetition", False) for line in lines]),
    )


def served(file, experts, tokenizer):
    """What routing_of_prompts.py collected: the trace of prefill, and that of decode."""
    arrays = np.load(file)
    ends = np.cumsum(arrays["lengths"])
    tokens = np.split(arrays["tokens"].astype(np.int64), ends[:-1])
    routed = np.split(arrays["experts"][: ends[-1]], ends[:-1])
    shape = RoutingShape(layers=routed[0].shape[1], experts=experts, top_k=routed[0].shape[2])
    prompts = [
        RoutedPrompt(query=Query(tokens=t), experts=e) for t, e in zip(tokens, routed, strict=True)
    ]
    spellings = [tokenizer.id_to_token(i) or "" for i in range(tokenizer.get_vocab_size())]
    head, tail = shared(tokens), shared([t[::-1] for t in tokens])
    counts = arrays["decode"].astype(float)
    made = counts.sum(axis=-1)[:, 0] / shape.top_k
    common = {
        "shape": shape,
        "prompts": prompts,
        "texts": [tokenizer.decode(t[head : len(t) - tail].tolist()) for t in tokens],
        "asked": tokens,
    }
    prefill = Trace(
        name="demo",
        actual=np.stack([p.frequencies(shape) for p in prompts]),
        sizes=arrays["lengths"],
        words=word_classes(spellings),
        **common,
    )
    actual = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    return prefill, Trace(name="demo decode", actual=actual, sizes=made.astype(int), **common)


def shared(rows):
    """How many tokens all rows begin with: the template's."""
    least = min(map(len, rows))
    heads = np.stack([row[:least] for row in rows])
    return int((heads == heads[0]).all(axis=0).cumprod().sum())


def splits(trace, count, size, least):
    """Disjoint test sets, one prompt a text; each history holds none of its test's texts."""
    _, texts = np.unique(trace.texts, return_inverse=True)
    fit = trace.sizes >= least
    first: dict = {}
    for i in np.flatnonzero(fit):
        first.setdefault(texts[i], i)
    order = np.random.default_rng(0).permutation(list(first.values()))
    for start in range(0, count * size, size):
        test = order[start : start + size]
        yield np.flatnonzero(~np.isin(texts, texts[test]) & (trace.sizes > 0)), test
