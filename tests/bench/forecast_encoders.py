"""The vectors that the forecast's bench compares: the product's encoders, and variants tried."""

from __future__ import annotations

import time

import numpy as np

from remoe_functions.encoder.joint import JointEncoder, Voice
from remoe_functions.encoder.sentence import SentenceEncoder
from remoe_functions.encoder.token_sum import TokenSumEncoder
from remoe_functions.encoder.words import WordsEncoder


class WeightedSum:
    """A sum of unit embeddings, changed and weighted (variants of the literature)."""

    def __init__(self, units, weights=None):
        self.units, self.weights = units, weights

    def encode(self, tokens, text):
        rows = self.units[tokens]
        return (rows if self.weights is None else rows * self.weights[tokens][:, None]).sum(axis=0)


def float_units(table):
    """[vocabulary, hidden] unit rows of a table (bfloat16 as its bits)."""
    rows = (table.astype(np.uint32) << 16).view(np.float32) if table.dtype == np.uint16 else table
    return directions(rows.astype(np.float32))


def directions(rows):
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)


def variants(table):
    """All-but-the-top, and SIF with Zipf's law over token ids in place of counted frequencies."""
    units = float_units(table)
    centered = units - units.mean(axis=0)
    _, _, top = np.linalg.svd(centered[::7], full_matrices=False)
    rare = directions(centered - (centered @ top[:3].T) @ top[:3])
    odds = 1 / (np.arange(len(table)) + 30)
    weights = (1e-3 / (1e-3 + odds / odds.sum())).astype(np.float32)
    return {
        "tokens, all but the top": WeightedSum(rare),
        "tokens, SIF": WeightedSum(directions(centered), weights),
    }


def encoders(table, *, sentence):
    """Every encoder by its name."""
    tokens = TokenSumEncoder(table)
    found = {"words": WordsEncoder(), "tokens": tokens, **variants(table)}
    if sentence:
        meaning = SentenceEncoder.open()
        voices = [Voice(encoder=tokens), Voice(encoder=meaning, weight=0.35)]
        found |= {"sentence": meaning, "tokens+sentence": JointEncoder(voices)}
    return found


def encoded(trace, table, *, sentence):
    """Vectors [prompts, width] and milliseconds per prompt of each encoder."""
    found, slow = {}, {}
    for name, encoder in encoders(table, sentence=sentence).items():
        if name == "tokens+sentence":
            found[name] = np.concatenate(
                [directions(found["tokens"]), 0.35 * directions(found["sentence"])], axis=1
            )
            slow[name] = slow["tokens"] + slow["sentence"]
            continue
        rows, times = [], []
        for tokens, text in zip(trace.asked, trace.texts, strict=True):
            start = time.process_time()
            rows.append(encoder.encode(tokens, text))
            times.append(time.process_time() - start)
        found[name] = np.stack(rows).astype(np.float32)
        slow[name] = float(np.median(times) * 1e3)
    return found, slow


def rarity(bags, history):
    """TF-IDF: words weighed by how rare they are in the history."""
    return (bags * np.log(len(history) / (1 + (bags[history] > 0).sum(axis=0))).clip(0)).astype(
        np.float32
    )
