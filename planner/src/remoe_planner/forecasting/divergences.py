"""Jensen-Shannon divergence, layer by layer and for many forecasts at once.

`remoe_planner.divergence` is the same of one forecast, averaged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def layer_divergences(
    forecast: NDArray[np.float64], actual: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Divergence in bits of [..., layers, experts], [..., layers]."""
    middle = (forecast + actual) / 2
    return (_entropy(middle) - (_entropy(forecast) + _entropy(actual)) / 2).clip(0, 1)


def _entropy(spread: NDArray[np.float64]) -> NDArray[np.float64]:
    logs = np.log2(spread, out=np.zeros_like(spread), where=spread > 0)
    return np.asarray(-(spread * logs).sum(axis=-1))
