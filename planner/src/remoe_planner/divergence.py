"""How far a forecast was from what happened."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def jensen_shannon(forecast: NDArray[np.float64], actual: NDArray[np.float64]) -> float:
    """Jensen-Shannon divergence in bits, the mean over layers.

    Args:
        forecast: [layers, experts], rows that sum to 1.
        actual: the same of what happened.

    Raises:
        ValueError: the shapes differ.
    """
    if forecast.shape != actual.shape or forecast.ndim != 2:
        raise ValueError(f"both must be [layers, experts], got {forecast.shape} and {actual.shape}")
    middle = (forecast + actual) / 2
    return float(
        (_relative_entropy(forecast, middle) + _relative_entropy(actual, middle)).mean() / 2
    )


def _relative_entropy(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kullback-Leibler divergence of q from p, in bits, [layers]."""
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return np.asarray((p * np.log2(ratio)).sum(axis=1))
