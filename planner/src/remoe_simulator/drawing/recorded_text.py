"""One prompt and its answer as they were routed, and the requests drawn from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.shape import RoutingShape
from remoe_simulator.drawing.bootstrap import continued, lengthened
from remoe_simulator.simulated_request import SimulatedRequest

_MOST_CHUNK_TOKENS = 65_535  # counts of a chunk are held in 16 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """How long a request is, and how long the passes that take its prompt in."""

    prompt_tokens: int
    output_tokens: int
    chunk_tokens: int

    def __post_init__(self) -> None:
        for name in ("prompt_tokens", "output_tokens", "chunk_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        if self.chunk_tokens > _MOST_CHUNK_TOKENS:
            raise ValueError(
                f"chunk_tokens must be <= {_MOST_CHUNK_TOKENS}, got {self.chunk_tokens}"
            )

    @property
    def chunks(self) -> tuple[int, ...]:
        """Tokens of each chunk: all are full but the last."""
        full, rest = divmod(self.prompt_tokens, self.chunk_tokens)
        return (self.chunk_tokens,) * full + ((rest,) if rest else ())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordedText:
    """Which experts each token visited.

    Attributes:
        shape: of the routing.
        prompt: [tokens, layers, top_k].
        answer: [tokens, layers, top_k], one row for each decode step; without rows where answers
            were not recorded, and then the prompt's tokens stand in for them.
        head: tokens that every prompt begins with, and that come once.
    """

    shape: RoutingShape
    prompt: NDArray[Any]
    answer: NDArray[Any]
    head: int = 0

    def request(
        self,
        name: str,
        length: Length,
        *,
        arrival_seconds: float,
        generator: np.random.Generator,
    ) -> SimulatedRequest:
        """A request of this length; what the text does not have is drawn from what it has.

        Raises:
            ValueError: the text has too little to draw from, or the arrival is negative.
        """
        read = lengthened(len(self.prompt), length.prompt_tokens, generator, head=self.head)
        return SimulatedRequest(
            name=name,
            arrival_seconds=arrival_seconds,
            chunk_tokens=length.chunks,
            chunk_rows=self._rows(read, length.chunks),
            answer_picks=self._answered(length.output_tokens - 1, generator),
        )

    def _rows(self, read: NDArray[np.int64], chunks: tuple[int, ...]) -> NDArray[np.uint16]:
        """[chunks, layers, experts]; tokens that come often are counted once and weighed."""
        ends = np.cumsum(chunks)
        return np.stack([self._counted(part) for part in np.split(read, ends[:-1])])

    def _counted(self, read: NDArray[np.int64]) -> NDArray[np.uint16]:
        tokens, times = np.unique(read, return_counts=True)
        steps = np.arange(self.shape.layers)[:, None] * self.shape.experts
        cells = self.prompt[tokens].astype(np.int64) + steps
        weights = np.repeat(times, self.shape.picks)
        counts = np.bincount(cells.ravel(), weights, self.shape.cells)
        return counts.reshape(self.shape.table).astype(np.uint16)

    def _answered(self, steps: int, generator: np.random.Generator) -> NDArray[np.uint16]:
        """As recorded, cut or lengthened; from the prompt where no answer was."""
        if len(self.answer):
            made = self.answer[lengthened(len(self.answer), steps, generator)]
        else:
            made = self.prompt[continued(len(self.prompt), steps, generator, head=self.head)]
        return np.asarray(made, np.uint16)
