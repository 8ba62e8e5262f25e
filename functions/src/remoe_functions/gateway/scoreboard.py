"""How well forecasts turned out: each was made before its routing was known, so each is a test.

Kept with the learner's state, so that the figures outlive a restart.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.outlook import Basis

KEPT = 1_000
# In the order of their numbers on disk, so a new one goes last.
_BASES = (
    Basis.PROMPT,
    Basis.CONTEXT,
    Basis.SIMILAR_PROMPTS,
    Basis.MEAN,
    Basis.UNIFORM,
    Basis.VECTOR,
    Basis.JOINT,
)
_RECENT = 100
_LEAST_RECENT = 8
_LEAST_DRIFT = 50
DRIFTED = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One prompt's forecast against what its tokens then did. Divergences are in bits.

    Attributes:
        at: seconds since the epoch.
        basis: what the forecast rested on.
        tokens: of the prompt.
        known: share of them seen before, NaN where no token was looked at.
        expected: divergence that was expected, NaN where it was not known.
        divergence: from forecast to what happened (Jensen-Shannon, mean over layers).
        by_mean: the same of the mean of history, NaN where there was none.
        by_similar: the same of what history says of the prompt's vector, NaN where it is silent.
    """

    at: float
    basis: Basis
    tokens: int
    known: float
    expected: float
    divergence: float
    by_mean: float
    by_similar: float


class Scoreboard:
    """The latest scores. Safe for threads."""

    def __init__(self) -> None:
        self._scores: deque[Score] = deque(maxlen=KEPT)
        self._since_fit = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._scores)

    def add(self, score: Score) -> None:
        with self._lock:
            self._scores.append(score)
            self._since_fit += 1

    def latest(self, count: int) -> list[Score]:
        """The last scores, oldest first."""
        with self._lock:
            return list(self._scores)[-count:]

    def usual(self, basis: Basis) -> float | None:
        """How far forecasts of this basis were off lately; None where there were too few."""
        found = [s.divergence for s in self.latest(KEPT) if s.basis is basis][-_RECENT:]
        return float(np.mean(found)) if len(found) >= _LEAST_RECENT else None

    @property
    def drift(self) -> float | None:
        """Divergence found over divergence expected, of late; None where too little is known."""
        fresh = self.latest(min(self._since_fit, _RECENT)) if self._since_fit else []
        judged = [score for score in fresh if not np.isnan(score.expected)]
        if len(judged) < _LEAST_DRIFT:
            return None
        expected = float(np.mean([score.expected for score in judged]))
        found = float(np.mean([score.divergence for score in judged]))
        return found / max(expected, 1e-6)

    def fitted_anew(self) -> None:
        """What the old fit expected says nothing of the new one's drift."""
        self._since_fit = 0

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The scores as one array [n, fields]."""
        rows = [_row(score) for score in self.latest(KEPT)]
        return {"scores": np.array(rows).reshape(len(rows), len(Score.__slots__))}

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]]) -> Scoreboard:
        """The scoreboard that `arrays` was taken from.

        Raises:
            KeyError, ValueError: they are no scores.
        """
        board, rows = cls(), arrays["scores"]
        if rows.ndim != 2 or rows.shape[1] != len(Score.__slots__):
            raise ValueError(f"scores must be [n, {len(Score.__slots__)}], got {rows.shape}")
        for at, basis, tokens, *rest in rows.tolist():
            known, expected, divergence, by_mean, by_similar = rest
            board.add(
                Score(
                    at=at,
                    basis=_BASES[int(basis) % len(_BASES)],
                    tokens=int(tokens),
                    known=known,
                    expected=expected,
                    divergence=divergence,
                    by_mean=by_mean,
                    by_similar=by_similar,
                )
            )
        return board


def _row(score: Score) -> list[float]:
    at, basis, *rest = astuple(score)
    return [at, float(_BASES.index(basis)), *map(float, rest)]
