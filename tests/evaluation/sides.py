"""What may be learned from and what is served, kept apart: the only place where texts are split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAME_START = 100
"""Characters: texts that share so many stand on one side, as those of one template do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Rows to learn from, all that a planner or a forecaster ever sees; and rows to be served."""

    train: np.ndarray
    test: np.ndarray


def halves(texts, seed):
    """Rows of two halves of texts, those that begin alike on one side.

    Raises:
        ValueError: there are no two different texts.
    """
    _, groups = np.unique([_start(text) for text in texts], return_inverse=True)
    count = int(groups.max(initial=-1)) + 1
    if count < 2:
        raise ValueError(f"texts must hold at least two that begin otherwise, got {len(texts)}")
    side = np.random.default_rng(seed).permutation(count)[groups] % 2
    return np.flatnonzero(side == 0), np.flatnonzero(side == 1)


def _start(text):
    """What a text begins with, whatever its case and spaces."""
    return " ".join(text.split())[:SAME_START].casefold()
