"""Real prompts for what is measured for real: drawn by seed, and none on two sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from evaluation.sides import halves

from remoe_functions.sample_prompts.prompts import read_prompts

FILE = "prompts.jsonl"
CHARACTERS = 500
"""Of each prompt its first ones, as the paper's evaluation takes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSides:
    """Texts to record and plan from, and texts to be served."""

    train: tuple[str, ...]
    test: tuple[str, ...]


def drawn_prompts(data, *, train=100, test=50, seed=0, characters=CHARACTERS):
    """So many prompts of each side; texts that begin alike stand on one side.

    Those of a side are the same, in the same order, however many are drawn.

    Raises:
        PromptFileError: the folder has no file of prompts.
        ValueError: there are too few on a side.
    """
    whole = read_prompts(data / FILE)
    texts = list(dict.fromkeys(prompt.text[:characters].strip() for prompt in whole))
    learn, serve = halves(texts, seed)
    return PromptSides(
        train=_some(texts, learn, train, [seed, 1], "train"),
        test=_some(texts, serve, test, [seed, 2], "test"),
    )


def _some(texts, rows, count, seed, name):
    if count > len(rows):
        raise ValueError(f"{name} must be <= {len(rows)}, got {count}")
    return tuple(texts[row] for row in np.random.default_rng(seed).permutation(rows)[:count])
