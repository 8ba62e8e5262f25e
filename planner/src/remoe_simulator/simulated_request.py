"""A request as the simulator knows it: when it comes, and which experts its tokens pick."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedRequest:
    """One request and its true routing, which only the main model may look at.

    Attributes:
        name: unique in a day; what chance draws for a request depends on its name and the seed,
            never on what happens beside it.
        arrival_seconds: since the day began.
        chunk_tokens: tokens of each chunk of the prompt.
        chunk_rows: uint16 [chunks, layers, experts], rows of each chunk at each expert.
        answer_picks: uint16 [steps, layers, top_k], the experts of each decode step; the answer has
            one token more than steps, which the prompt's last pass gives.
        prompt_forecast: [layers, experts], rows summing to 1: what was believed of the prompt
            before it ran; None where nobody asked.
        answer_forecast: the same of the answer.
    """

    name: str
    arrival_seconds: float
    chunk_tokens: tuple[int, ...]
    chunk_rows: NDArray[np.uint16]
    answer_picks: NDArray[np.uint16]
    prompt_forecast: NDArray[np.float64] | None = None
    answer_forecast: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.arrival_seconds) and self.arrival_seconds >= 0):
            raise ValueError(
                f"request {self.name}: arrival_seconds must be finite and >= 0, "
                f"got {self.arrival_seconds}"
            )
        if not self.chunk_tokens or min(self.chunk_tokens) < 1:
            raise ValueError(
                f"request {self.name}: chunk_tokens must be >= 1, got {self.chunk_tokens}"
            )
        if len(self.chunk_rows) != len(self.chunk_tokens):
            raise ValueError(
                f"request {self.name}: chunk_rows must have {len(self.chunk_tokens)} chunks, "
                f"got {len(self.chunk_rows)}"
            )

    @property
    def prompt_tokens(self) -> int:
        return sum(self.chunk_tokens)

    @property
    def steps(self) -> int:
        """Decode steps: tokens of the answer after the first."""
        return len(self.answer_picks)

    @property
    def output_tokens(self) -> int:
        return self.steps + 1

    @cached_property
    def prompt_counts(self) -> NDArray[np.int64]:
        """[layers, experts], assignments of the prompt."""
        return np.asarray(self.chunk_rows.sum(axis=0, dtype=np.int64))

    @cached_property
    def answer_counts(self) -> NDArray[np.int64]:
        """[layers, experts], assignments of the answer."""
        layers, experts = self.chunk_rows.shape[1:]
        flat = self.answer_picks.astype(np.int64) + experts * np.arange(layers)[:, None]
        counts = np.bincount(flat.ravel(), minlength=layers * experts)
        return counts.reshape(layers, experts)
