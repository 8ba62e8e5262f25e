"""How much each expert is used: the ranking by which experts become remote."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remoe_planner.activation_history import ActivationHistory


def expert_utility(history: ActivationHistory) -> NDArray[np.float64]:
    """Assignments of each expert over the whole history, [layers, experts].

    The paper's utility u = E[N_pre] + E[N_dec], summed over requests instead of averaged; all
    zeros for an empty history.
    """
    counts = history.prefill.sum(axis=0, dtype=np.float64)
    return np.asarray(counts + history.decode.sum(axis=0, dtype=np.float64))
