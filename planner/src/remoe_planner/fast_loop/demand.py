"""What a request is expected to ask of every function, told from forecasts of its two phases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.fast_loop.function_table import FunctionTable

CLUSTERING = 0.5
"""Variance of a function's use beyond a Poisson's, over the square of its mean.

A forecast is off, and tokens of a prompt are alike: many go where none was expected, or none where
many were. Fitted on real traces (`designs/014-fast-loop.md`).
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Phase:
    """Tokens ahead, and where they are expected to go.

    Attributes:
        frequencies: [layers, experts], each row sums to 1.
        tokens: >= 0.
    """

    frequencies: NDArray[np.float64]
    tokens: int

    def __post_init__(self) -> None:
        if self.tokens < 0:
            raise ValueError(f"tokens must be >= 0, got {self.tokens}")
        if not np.all(np.isfinite(self.frequencies)):
            raise ValueError("frequencies must be finite, got NaN or infinity")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FunctionDemand:
    """Expected use of every function.

    Attributes:
        probability: [functions] that at least one token needs it.
        prompt_rows: [functions] assignments of the prompt.
        prompt_touches: [functions] distinct experts that the prompt visits.
        step_rows: [functions] assignments of one token of the answer.
        busiest_rows: [rows] assignments of the prompt at the busiest expert of each row.
        layer_rows: [rows] assignments of the prompt in each row.
        prompt_tokens: still to be prefilled.
        answer_tokens: of the answer.
    """

    probability: NDArray[np.float64]
    prompt_rows: NDArray[np.float64]
    prompt_touches: NDArray[np.float64]
    step_rows: NDArray[np.float64]
    busiest_rows: NDArray[np.float64]
    layer_rows: NDArray[np.float64]
    prompt_tokens: int
    answer_tokens: int


def function_demand(
    table: FunctionTable, prompt: Phase, answer: Phase, *, clustering: float = CLUSTERING
) -> FunctionDemand:
    """What a request will ask.

    Args:
        table: of the plan.
        prompt: tokens that are still to be prefilled; none after prefill.
        answer: tokens that are expected to be generated.
        clustering: see `CLUSTERING`; 0 for independent draws.

    Raises:
        ValueError: a forecast of another shape than the plan's model.
    """
    for name, phase in (("prompt", prompt), ("answer", answer)):
        if phase.frequencies.shape != table.shape:
            raise ValueError(
                f"the {name}'s forecast must have shape {table.shape}, "
                f"got {phase.frequencies.shape}"
            )
    cells = prompt.frequencies.ravel()[table.cells] * (prompt.tokens * table.top_k)
    layer_rows = table.by_row(cells)
    steps = table.by_row(answer.frequencies.ravel()[table.cells] * table.top_k)
    prompt_rows, step_rows = table.by_function(layer_rows), table.by_function(steps)
    busiest = np.maximum.reduceat(cells, table.row_starts) if len(cells) else cells
    return FunctionDemand(
        probability=some_use(prompt_rows + step_rows * answer.tokens, clustering),
        prompt_rows=prompt_rows,
        prompt_touches=table.by_function(table.by_row(-np.expm1(-cells))),
        step_rows=step_rows,
        busiest_rows=busiest,
        layer_rows=layer_rows,
        prompt_tokens=prompt.tokens,
        answer_tokens=answer.tokens,
    )


def some_use(expected: NDArray[np.float64], clustering: float) -> NDArray[np.float64]:
    """Chance of at least one, given the mean: negative binomial, Poisson where nothing clusters."""
    if clustering <= 0:
        return -np.expm1(-expected)
    return np.asarray(-np.expm1(-np.log1p(clustering * expected) / clustering))
