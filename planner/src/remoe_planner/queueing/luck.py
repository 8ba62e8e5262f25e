"""How much of others' work a request meets at a percentile: a sum of a random number of overlaps.

Who comes within an answer's time before or after a request shares some of its steps: a share that
is even between none and all of them. Who comes after also has a prompt, whose chunks come between
the request's steps. Their number is Poisson, twice the mean number of others.
"""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def met_at(percentile: float, others: Floats, prompts: Floats) -> Floats:
    """What a request meets of others, in units of the slowing down by one that is always there.

    Exact where others slow down neither each other nor the request.

    Args:
        percentile: 0 to 1.
        others: [...], that an arrival finds, a mean.
        prompts: [...], what a whole prompt between its steps takes, in the same units; rounded to
            half an octave.
    """
    found = np.empty_like(others)
    octaves = np.round(_STEPS * np.log2(np.clip(prompts, 1 / LONGEST, LONGEST)))
    for octave in np.unique(octaves).tolist():
        here = octaves == octave
        found[here] = _met(percentile, others[here], 2 ** (octave / _STEPS))
    return found


def _met(percentile: float, others: Floats, prompt: float) -> Floats:
    known = _quantiles(percentile, prompt)
    quantile = max(NormalDist().inv_cdf(percentile), 0.0)
    # Each is U or prompt + U, U even in 0..1.
    square = 1 / 3 + (prompt**2 + prompt) / 2
    many = others * (1 + prompt) + quantile * np.sqrt(2 * others * square)
    return np.where(others < _MEANS[-1], np.interp(others, _MEANS, known), many)


@lru_cache(maxsize=64)
def _quantiles(percentile: float, prompt: float) -> Floats:
    """[means], by Fourier transform: the sum's is exp(number x (one's - 1))."""
    width = (1 + prompt) / _PER_JUMP
    edges = np.arange(_CELLS + 1) * width
    even = np.clip(edges, 0.0, 1.0)
    late = np.clip(edges - prompt, 0.0, 1.0)
    one = np.fft.rfft((np.diff(even) + np.diff(late)) / 2)
    whole = np.exp(2 * _MEANS[:, None] * (one - 1))
    chance = np.cumsum(np.fft.irfft(whole, _CELLS, axis=1), axis=1)
    beyond = (chance < percentile).argmin(axis=1)
    low = np.where(beyond > 0, chance[np.arange(len(beyond)), beyond - 1], percentile)
    high = chance[np.arange(len(beyond)), beyond]
    share = (percentile - low) / np.maximum(high - low, _TINY)
    return np.asarray(np.where(beyond > 0, (beyond + share) * width, 0.0))


_MEANS = np.concatenate(([0.0], np.geomspace(0.01, 6.0, 31)))
_PER_JUMP, _CELLS = 48, 1536
_STEPS, _TINY = 2, 1e-12
LONGEST = 64.0
"""Of prompts, in those units: what is longer is told as this, as many times as there are."""
