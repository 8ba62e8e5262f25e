"""Choosing the next token from its logits. A function of logits, request and token number."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from remoe_functions.main.request import Sampling, Token

Logits = NDArray[np.float32]


def sample(logits: Logits, sampling: Sampling, number: int, counts: Counter[int]) -> Token:
    """The next token.

    Args:
        logits: [vocabulary] float32; not changed.
        sampling: how to choose.
        number: how many tokens were generated before this one. With the seed it alone decides
            the noise, so an answer taken up again goes on as it would have.
        counts: how often each token was generated so far.
    """
    adjusted = _penalized(logits, sampling, counts)
    if sampling.temperature == 0:
        token = int(adjusted.argmax())
    else:
        token = _draw(_probabilities(adjusted, sampling), noise(sampling.seed, number))
    if sampling.logprobs is None:
        return Token(token=token)
    return _with_logprobs(token, logits, sampling.logprobs)


def noise(seed: int, number: int) -> float:
    """A number in [0, 1) that depends on the seed and the token's number alone."""
    return float(np.random.Generator(np.random.Philox(key=seed, counter=number)).random())


def _penalized(logits: Logits, sampling: Sampling, counts: Counter[int]) -> Logits:
    if not counts or not (sampling.frequency_penalty or sampling.presence_penalty):
        return logits
    adjusted = logits.copy()
    tokens = np.fromiter(counts.keys(), dtype=np.int64)
    times = np.fromiter(counts.values(), dtype=np.float32)
    adjusted[tokens] -= times * sampling.frequency_penalty + sampling.presence_penalty
    return adjusted


def _probabilities(logits: Logits, sampling: Sampling) -> NDArray[np.float64]:
    scaled = (logits.astype(np.float64) - float(logits.max())) / sampling.temperature
    odds = np.exp(scaled)
    if sampling.top_k is not None and sampling.top_k < len(odds):
        least = np.partition(odds, -sampling.top_k)[-sampling.top_k]
        odds[odds < least] = 0.0
    if sampling.top_p < 1:
        odds = _nucleus(odds, sampling.top_p)
    return np.asarray(odds / odds.sum())


def _nucleus(odds: NDArray[np.float64], top_p: float) -> NDArray[np.float64]:
    """Zero all but the likeliest tokens that together reach `top_p`; the likeliest stays."""
    order = np.argsort(-odds, kind="stable")
    reached = np.cumsum(odds[order])
    kept = int(np.searchsorted(reached, top_p * reached[-1])) + 1
    odds[order[kept:]] = 0.0
    return odds


def _draw(probabilities: NDArray[np.float64], number: float) -> int:
    reached = np.cumsum(probabilities)
    return int(np.searchsorted(reached, number * reached[-1], side="right"))


def _with_logprobs(token: int, logits: Logits, top: int) -> Token:
    """Log-probabilities are the model's own, before temperature, penalties and cuts."""
    highest = float(logits.max())
    logprobs = logits - (highest + np.log(np.exp(logits - highest, dtype=np.float64).sum()))
    best = np.argsort(-logprobs, kind="stable")[:top] if top else np.empty(0, dtype=np.int64)
    return Token(
        token=token,
        logprob=float(logprobs[token]),
        top=tuple((int(each), float(logprobs[each])) for each in best),
    )
