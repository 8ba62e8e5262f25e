"""Vector forecasters made of a recorded history, which holds vectors and counts alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remoe_planner.activation_history import ActivationHistory
from remoe_planner.forecasting.neighbors import NeighborKnobs
from remoe_planner.forecasting.outlook import distribution
from remoe_planner.forecasting.routed_prompt import Query
from remoe_planner.forecasting.shape import RoutingShape
from remoe_planner.forecasting.vector_forecaster import VectorForecaster


def prompt_forecaster(
    history: ActivationHistory, shape: RoutingShape, knobs: NeighborKnobs | None = None
) -> VectorForecaster:
    """Of prompts' routing, fitted: seconds for 10^4 requests.

    Raises:
        ValueError: the history is of another shape.
    """
    return _taught(history, history.prefill, shape, knobs)


def answer_forecaster(
    history: ActivationHistory, shape: RoutingShape, knobs: NeighborKnobs | None = None
) -> VectorForecaster:
    """Of answers' routing, told by their prompts; requests without an answer are left out.

    Its length features are the prompt's, since the answer's is not known before it ends; the
    interval of counts (`Outlook.count_interval`) is therefore of answers as long as prompts.

    Raises:
        ValueError: the history is of another shape.
    """
    return _taught(history, history.decode, shape, knobs)


def _taught(
    history: ActivationHistory,
    counts: NDArray[np.uint32],
    shape: RoutingShape,
    knobs: NeighborKnobs | None,
) -> VectorForecaster:
    made = VectorForecaster(shape, width=history.vectors.shape[1], knobs=knobs)
    # Of a prompt that came several times the tokens are of all its times together.
    lengths = np.rint(history.prompt_tokens / (1 if history.times is None else history.times))
    for row in np.flatnonzero(counts.any(axis=(1, 2))):
        query = Query(tokens=np.zeros(int(lengths[row]), np.int64), vector=history.vectors[row])
        made.learn(query, distribution(counts[row].astype(np.float64)))
    made.refit()
    return made
