"""What a request loses while a function it needs is not there.

The main model then computes the function's experts itself: the first use of each reads its weights
from the checkpoint, and every row costs a little more than a call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.fast_loop.demand import FunctionDemand
from remoe_planner.fast_loop.function_table import FunctionTable
from remoe_planner.fast_loop.situation import PassTimes

_TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lost:
    """Seconds lost by one request, [functions]: before its first token, and after it."""

    prompt: NDArray[np.float64]
    answer: NDArray[np.float64]

    def beyond(self, other: Lost) -> Lost:
        """What is lost here and not there."""
        return Lost(prompt=self.prompt - other.prompt, answer=self.answer - other.answer)

    @property
    def seconds(self) -> NDArray[np.float64]:
        return self.prompt + self.answer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Absence:
    """What one request loses, by when each function comes.

    Time counts from the request's first pass. A prompt's rows are taken as even over its prefill
    from the function's first layer on, an answer's as even over its steps.
    """

    table: FunctionTable
    demand: FunctionDemand
    times: PassTimes

    def until(self, ready_seconds: NDArray[np.float64]) -> Lost:
        """If each is ready at this moment whatever happens."""
        return Lost(prompt=self._in_prompt(ready_seconds), answer=self._in_answer(ready_seconds))

    def until_called(self, start_seconds: NDArray[np.float64]) -> Lost:
        """If each begins to start when the main model first calls it."""
        in_prompt = -np.expm1(-self.demand.prompt_rows)
        come = self._first_use + start_seconds
        after_prompt = in_prompt * self._in_answer(come)
        first_in_answer = (1 - in_prompt) * self._called_in_answer(start_seconds)
        return Lost(prompt=self._in_prompt(come), answer=after_prompt + first_in_answer)

    @property
    def _prefill_seconds(self) -> float:
        return self.demand.prompt_tokens * self.times.token_seconds

    @property
    def _first_use(self) -> NDArray[np.float64]:
        """When a prefill in one pass comes to each function's first layer."""
        first = self.table.row_layer[self.table.first_rows]
        return np.asarray(first / self.table.shape[0] * self._prefill_seconds)

    def _in_prompt(self, ready_seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        first = self._first_use
        length = np.maximum(self._prefill_seconds - first, _TINY)
        part = np.clip((ready_seconds - first) / length, 0.0, 1.0)
        demand = self.demand
        touches = demand.prompt_touches * self.times.touch_seconds
        return part * (touches + demand.prompt_rows * self.times.prompt_row_seconds)

    def _in_answer(self, ready_seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        steps = (ready_seconds - self._prefill_seconds) / self.times.step_seconds
        rows = self.demand.step_rows * np.clip(steps, 0.0, self.demand.answer_tokens)
        return self._rows_of_answer(rows)

    def _called_in_answer(self, start_seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """The first row of an answer, and those until the function has come."""
        total = self.demand.step_rows * self.demand.answer_tokens
        meanwhile = self.demand.step_rows * start_seconds / self.times.step_seconds
        return self._rows_of_answer(np.minimum(-np.expm1(-total) * (1 + meanwhile), total))

    def _rows_of_answer(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rows at experts of which none is read yet: so many different ones are touched."""
        experts = self.table.experts.astype(np.float64)
        touches = experts * -np.expm1(-rows / experts)
        return touches * self.times.touch_seconds + rows * self.times.row_seconds
