"""What main models are asked, and how many rows a step of one of them can have at most."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remoe_planner.demand.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """Requests as they come.

    Attributes:
        rate: requests per second.
        tokens: decode steps of a request.
        chunks: passes of its prompt.
        longest_chunks: the same of the longest prompt.
        max_batch: requests that hold a slot at most.
        prompt_deviation: of prompts' lengths, over their mean.
        answer_deviation: of answers', likewise.
    """

    rate: float
    tokens: float
    chunks: int
    longest_chunks: int
    max_batch: int
    prompt_deviation: float = 0.0
    answer_deviation: float = 0.0

    @classmethod
    def of(cls, workload: Workload, *, prefill_chunk: int, max_batch: int) -> Stream:
        """The requests of a workload.

        The longest lengths are taken to be two deviations beyond the typical ones.
        """
        longest, typical = workload.max_prompt_tokens, workload.prompt_tokens
        answer = workload.max_output_tokens / workload.output_tokens
        return cls(
            rate=workload.requests_per_second,
            tokens=float(workload.output_tokens),
            chunks=math.ceil(typical / prefill_chunk),
            longest_chunks=math.ceil(longest / prefill_chunk),
            max_batch=max_batch,
            prompt_deviation=(longest / typical - 1) / 2,
            answer_deviation=(answer - 1) / 2,
        )

    @property
    def most_rows(self) -> float:
        """Rows of a step where requests never end, a mean.

        A prompt holds a slot while it is computed, and there is one chunk a turn, of one prompt at
        a time: where answers are short and prompts long, slots stay empty.
        """
        held = self.tokens + self.chunks - 1
        slots = self.max_batch * self.tokens / held
        return max(1.0, min(slots, self.tokens / self.chunks))

    @property
    def rows(self) -> NDArray[np.float64]:
        """Rows of a step with 1, 2, ... requests in it, up to all that there can be."""
        most = self.most_rows
        return np.append(np.arange(1.0, math.ceil(most)), most)

    def replicas(self, hold_seconds: ArrayLike, most: int) -> NDArray[np.float64]:
        """Main models that it takes, [...]: as many as leave none of them nearly full.

        Args:
            hold_seconds: [...], as below.
            most: that there may be.
        """
        needed = np.ceil(self.rate * np.asarray(hold_seconds) / FILLED)
        return np.asarray(np.clip(needed, 1.0, float(most)))

    def hold_seconds(self, prefill_seconds: ArrayLike, full_step: ArrayLike) -> NDArray[np.float64]:
        """How long a request holds a main model whose steps are full: the least it can take.

        Args:
            prefill_seconds: [...], of a prompt's passes.
            full_step: [...], seconds of a step with `most_rows`.
        """
        shared = self.tokens / self.most_rows
        hold = np.asarray(prefill_seconds) + shared * np.asarray(full_step)
        return np.asarray(np.maximum(hold, _LEAST_SECONDS))


FILLED = 0.8
"""Of what a main model can do, from where on the requests in line bring another one."""
_LEAST_SECONDS = 1e-12
