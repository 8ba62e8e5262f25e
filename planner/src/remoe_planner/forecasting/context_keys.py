"""The contexts of a token, each as one 64-bit key: the table's names for what was seen before.

A key is a hash: two contexts meet with odds of 1 in 2^64. Vocabularies are small enough to try
every token, so whoever saves tables of keys gives a secret salt; without it no text is read back.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Context(IntEnum):
    """What of the past is looked at, from the vaguest to the most exact."""

    WORD = 0
    TOKEN = 1
    PAIR = 2
    TRIPLE = 3


_SPACE_MARKS = "Ġ▁ \t"
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_START = -1


def word_classes(spellings: Sequence[str]) -> NDArray[np.int64]:
    """The class of each token of a vocabulary: those alike but for case and space mark share one.

    Args:
        spellings: how the tokenizer writes each token, by its id.
    """
    seen: dict[str, int] = {}
    classes = [seen.setdefault(s.lstrip(_SPACE_MARKS).lower(), len(seen)) for s in spellings]
    return np.array(classes, dtype=np.int64)


def context_keys(
    tokens: NDArray[np.int64], words: NDArray[np.int64] | None, salt: int = 0
) -> NDArray[np.uint64]:
    """The key of each token's context, [contexts, n].

    Args:
        tokens: [n] token ids.
        words: [vocabulary] class of each token; None, or a token beyond it: a class of its own.
        salt: 0 to 2^64 - 1; keys of another salt never match.
    """
    before, earlier = _shifted(tokens, 1), _shifted(tokens, 2)
    return np.stack(
        [
            _mix(salt, Context.WORD, _classes(tokens, words)),
            _mix(salt, Context.TOKEN, tokens),
            _mix(salt, Context.PAIR, tokens, before),
            _mix(salt, Context.TRIPLE, tokens, before, earlier),
        ]
    )


def _classes(tokens: NDArray[np.int64], words: NDArray[np.int64] | None) -> NDArray[np.int64]:
    if words is None:
        return tokens
    known = tokens < len(words)
    return np.where(known, words[np.where(known, tokens, 0)], -2 - tokens)


def _shifted(tokens: NDArray[np.int64], by: int) -> NDArray[np.int64]:
    shifted = np.full(len(tokens), _START, dtype=np.int64)
    shifted[by:] = tokens[: max(len(tokens) - by, 0)]
    return shifted


def _mix(salt: int, context: Context, *ids: NDArray[np.int64]) -> NDArray[np.uint64]:
    """SplitMix64 over the ids, started from the salt and the kind of context."""
    state = _stirred(np.full(len(ids[0]), salt, dtype=np.uint64), np.uint64(0))
    state = _stirred(state, np.uint64(context + 1))
    for values in ids:
        state = _stirred(state, values.astype(np.uint64))
    return state


def _stirred(
    state: NDArray[np.uint64], values: NDArray[np.uint64] | np.uint64
) -> NDArray[np.uint64]:
    state = (state ^ values) + _GOLDEN
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return np.asarray(state ^ (state >> np.uint64(31)), np.uint64)
