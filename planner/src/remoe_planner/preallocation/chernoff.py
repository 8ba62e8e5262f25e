"""How far a count can lie above its mean before Chernoff's exponent is spent.

P(count >= N q) <= exp(-N KL(q || s)) for N independent draws that hit with chance s; draws that
come in clusters count as fewer. Inverting it needs no table: Bernstein's bound lies above the
answer, and Newton's steps come down from there without ever passing it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_TINY = 1e-12
_STEPS = 3  # within half a percent of the answer, and above it


def divergence(share: ArrayLike, mean: ArrayLike) -> NDArray[np.float64]:
    """KL(q || s) of two coins in nats, elementwise; infinite nowhere."""
    q = np.clip(np.asarray(share, np.float64), _TINY, 1 - _TINY)
    s = np.clip(np.asarray(mean, np.float64), _TINY, 1 - _TINY)
    return np.asarray(q * np.log(q / s) + (1 - q) * np.log((1 - q) / (1 - s)))


def highest_share(mean: ArrayLike, exponent: ArrayLike) -> NDArray[np.float64]:
    """The largest q >= s with KL(q || s) <= x, rounded upwards; at most 1.

    Args:
        mean: [...] s, chances.
        exponent: [...] x >= 0, per draw.
    """
    s, x = np.broadcast_arrays(
        np.clip(np.asarray(mean, np.float64), _TINY, 1 - _TINY), np.asarray(exponent, np.float64)
    )
    third = x / 3
    q = np.minimum(s + third + np.sqrt(third**2 + 2 * s * (1 - s) * x), 1 - _TINY)
    for _ in range(_STEPS):
        q = np.clip(_newton(q, s, x), s, 1 - _TINY)
    return np.asarray(np.where(x >= -np.log(s), 1.0, q))


def _newton(
    q: NDArray[np.float64], s: NDArray[np.float64], x: NDArray[np.float64]
) -> NDArray[np.float64]:
    rise, fall = np.log(q / s), np.log((1 - q) / (1 - s))
    slope = np.maximum(rise - fall, _TINY)
    return np.asarray(q - (q * rise + (1 - q) * fall - x) / slope)


def effective_draws(draws: ArrayLike, correlation: ArrayLike) -> NDArray[np.float64]:
    """Independent draws that say as much as these: N / (1 + (N - 1) rho), Kish's design effect."""
    count = np.asarray(draws, np.float64)
    return np.asarray(count / (1 + np.maximum(count - 1, 0.0) * np.asarray(correlation)))
