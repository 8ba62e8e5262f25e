"""Which functions a forecast says are needed, whether or not they are worth waking."""

from __future__ import annotations

import numpy as np

from remoe_planner.fast_loop.demand import Phase, function_demand
from remoe_planner.fast_loop.function_table import FunctionTable
from remoe_planner.forecasting.outlook import Outlook


def functions_needed(
    table: FunctionTable,
    *,
    prompt: Outlook,
    answer: Outlook,
    prompt_tokens: int,
    answer_tokens: int,
    min_probability: float,
) -> tuple[str, ...]:
    """Names of the functions that what is to come needs with at least this probability.

    Args:
        table: the plan's functions.
        prompt: where the prompt goes.
        answer: where the answer goes.
        prompt_tokens: of the prompt; none once it has gone.
        answer_tokens: that the answer is expected to have.
        min_probability: 0 to 1.
    """
    demand = function_demand(
        table,
        Phase(frequencies=prompt.frequencies, tokens=prompt_tokens),
        Phase(frequencies=answer.frequencies, tokens=answer_tokens),
    )
    likely = np.flatnonzero(demand.probability >= min_probability)
    return tuple(table.names[i] for i in likely)
