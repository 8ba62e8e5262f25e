"""How many tokens may really reach an expert that is expected to get so many.

Counts stray less than independent draws would on short prompts, whose tokens decide them, and far
more on long ones, which have a topic. No textbook law covers both, so quantiles of the stray are
learned from past forecasts, by length and by expected count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = {0.5: (1, 3), 0.9: (0, 4)}
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_LENGTHS = np.array([12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024])
_COUNTS = np.array([0.1, 0.3, 0.6, 1, 1.5, 2, 3, 4.5, 7, 10, 15, 30, 100])
_ENOUGH = 200
_TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CountSpread:
    """Quantiles of (count - expected) / sqrt(expected), [lengths, counts, quantiles]."""

    quantiles: NDArray[np.float64]

    def interval(
        self, expected: NDArray[np.float64], tokens: int, level: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Fewest and most tokens each expert may get, as whole numbers.

        Args:
            expected: [...] expected tokens.
            tokens: length of the prompt, the most an expert can get.
            level: chance that the count is inside, 0.5 or 0.9.

        Raises:
            ValueError: another level.
        """
        if level not in LEVELS:
            raise ValueError(f"level must be one of {sorted(LEVELS)}, got {level}")
        low, high = LEVELS[level]
        strays = self.quantiles[_length_cell(tokens), _count_cells(expected)]
        scale = np.sqrt(np.maximum(expected, _TINY))
        fewest = np.ceil(expected + strays[..., low] * scale - _TINY)
        most = np.floor(expected + strays[..., high] * scale + _TINY)
        return np.clip(fewest, 0, tokens), np.clip(np.maximum(most, fewest), 0, tokens)

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        return {"quantiles": self.quantiles}


def fit_count_spread(
    expected: NDArray[np.float64], actual: NDArray[np.float64], tokens: NDArray[np.int64]
) -> CountSpread:
    """Quantiles by length and expected count; where there are too few, of all lengths.

    Args:
        expected: [prompts, layers, experts] tokens expected at each expert.
        actual: the same of what happened.
        tokens: [prompts] lengths.
    """
    strays = (actual - expected) / np.sqrt(np.maximum(expected, _TINY))
    cells = _count_cells(expected)
    lengths = np.array([_length_cell(int(n)) for n in tokens])
    anywhere = np.quantile(strays, _QUANTILES)
    shape = (len(_LENGTHS) + 1, len(_COUNTS) + 1, len(_QUANTILES))
    table = np.broadcast_to(anywhere, shape).copy()
    for count in range(shape[1]):
        table[:, count] = _quantiles_of(strays[cells == count], anywhere)
        for length in np.unique(lengths):
            chosen = strays[lengths == length][cells[lengths == length] == count]
            table[length, count] = _quantiles_of(chosen, table[length, count])
    return CountSpread(quantiles=table)


def _quantiles_of(
    strays: NDArray[np.float64], otherwise: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.quantile(strays, _QUANTILES) if len(strays) >= _ENOUGH else otherwise


def _length_cell(tokens: int) -> int:
    return int(np.searchsorted(_LENGTHS, tokens, side="right"))


def _count_cells(expected: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(np.searchsorted(_COUNTS, expected, side="right"), np.int64)
