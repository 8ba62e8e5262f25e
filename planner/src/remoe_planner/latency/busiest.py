"""How many of a token's picks the busiest function gets: that is what a layer waits for.

The mean load of a function is less: six picks over six functions are one each, but the busiest of
them has 2.4.
"""

from __future__ import annotations

from functools import lru_cache
from math import factorial

import numpy as np
from numpy.typing import ArrayLike, NDArray


def busiest_picks(top_k: int, concentration: ArrayLike) -> NDArray[np.float64]:
    """Expected picks at the busiest function, [..., top_k + 1] by the number of picks.

    Exact for picks that fall on equal functions independently; told from the nearest numbers of
    those in between.

    Args:
        top_k: picks at most.
        concentration: [...], the chance that two picks lie in the same function: 1 where there is
            one, 0 where two never meet.
    """
    close = np.maximum(np.asarray(concentration, np.float64), 0.0)
    loads = _loads(top_k)
    bins = np.minimum(1 / np.maximum(close, 1 / _MOST_BINS), _MOST_BINS)
    few = np.minimum(bins.astype(np.intp), _MOST_BINS - 1)
    # Straight lines in the chance to meet; below the least known one down to none at all.
    share = np.clip((1 / few - close) * (few * (few + 1)), 0.0, 1.0)
    rare = np.minimum(close * _MOST_BINS, 1.0)
    known = loads[few] + (loads[few + 1] - loads[few]) * share[..., None]
    return np.asarray(loads[0] + (known - loads[0]) * rare[..., None])


def meeting_chance(
    by_function: NDArray[np.float64], by_expert: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The chance that two different picks lie in the same function, [...].

    Args:
        by_function: [...], sum of the squares of the functions' shares of the picks.
        by_expert: [...], sum of the squares of single experts' shares: no token picks one twice.
    """
    apart = 1 - by_expert
    met = np.divide(by_function - by_expert, apart, out=np.ones_like(apart), where=apart > _TINY)
    return np.clip(met, 0.0, 1.0)


@lru_cache(maxsize=8)
def _loads(top_k: int) -> NDArray[np.float64]:
    """[bins + 1, top_k + 1], by the number of bins; the first row is of picks that never meet."""
    never = np.minimum(np.arange(top_k + 1.0), 1.0)
    return np.stack([never, *(_busiest_of(count, top_k) for count in range(1, _MOST_BINS + 1))])


def _busiest_of(bins: int, top_k: int) -> NDArray[np.float64]:
    """[top_k + 1], expected load of the fullest of so many equal bins, by the number of balls.

    The sum over m of the chance that some bin has more than m, from exponential generating
    functions: P(none has more) = r! / bins^r [x^r] (sum over i <= m of x^i / i!)^bins.
    """
    balls = np.arange(top_k + 1)
    ways = np.array([1 / factorial(count) for count in balls])
    scale = np.array([factorial(count) / float(bins) ** count for count in balls.tolist()])
    expected = np.zeros(top_k + 1)
    for most in range(top_k):
        one = np.where(balls <= most, ways, 0.0)
        every = np.eye(1, top_k + 1)[0]
        for _ in range(bins):
            every = np.convolve(every, one)[: top_k + 1]
        expected += 1 - np.minimum(every * scale, 1.0)
    return expected


_MOST_BINS = 64
_TINY = 1e-9
