"""The contexts of a token, each as one 64-bit key: the table's names for what was seen before.

A key is a hash: two contexts meet with odds of 1 in 2^64. Vocabularies are small enough to try
every token, so every token has a code drawn from a secret salt (SHAKE-256), another one for each
place in each context, and keys are made of sums of codes. Who has keys without the salt cannot
read them; who knows what some of them stand for learns only what follows by adding.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from hashlib import shake_256

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
# Codes are drawn for so many ids; the rare id beyond is folded in.
_MOST_CODES = 1 << 22
_LEAST_CODES = 1 << 10


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
            _codes(salt, Context.WORD, 0, _classes(tokens, words)),
            _codes(salt, Context.TOKEN, 0, tokens),
            _sum_of(salt, Context.PAIR, tokens, before),
            _sum_of(salt, Context.TRIPLE, tokens, before, earlier),
        ]
    )


def _classes(tokens: NDArray[np.int64], words: NDArray[np.int64] | None) -> NDArray[np.int64]:
    if words is None or not len(words):
        return tokens
    known = tokens < len(words)
    beyond = int(words.max()) + 1 + tokens
    return np.where(known, words[np.where(known, tokens, 0)], beyond)


def _shifted(tokens: NDArray[np.int64], by: int) -> NDArray[np.int64]:
    shifted = np.full(len(tokens), _START, dtype=np.int64)
    shifted[by:] = tokens[: max(len(tokens) - by, 0)]
    return shifted


def _sum_of(salt: int, context: Context, *ids: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The key of several ids: the stirred sum of their codes, each place with codes of its own."""
    total = np.zeros(len(ids[0]), np.uint64)
    for place, values in enumerate(ids):
        total += _codes(salt, context, place, values)
    return _stirred(total, np.uint64(context))


def _codes(salt: int, context: Context, place: int, ids: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The secret code of each id, from -1 up."""
    shifted = ids.astype(np.int64) - _START
    most = int(shifted.max(initial=0))
    size = max(_LEAST_CODES, 1 << min(most, _MOST_CODES - 1).bit_length())
    codes = _drawn(salt, int(context), place, size)[shifted % size]
    return codes if most < size else _stirred(codes, (shifted // size).astype(np.uint64))


@lru_cache(maxsize=64)
def _drawn(salt: int, context: int, place: int, size: int) -> NDArray[np.uint64]:
    """The first codes of one place; more of them begin with the same."""
    seed = salt.to_bytes(8, "little") + bytes((context, place))
    return np.frombuffer(shake_256(seed).digest(8 * size), "<u8").astype(np.uint64)


def _stirred(
    state: NDArray[np.uint64], values: NDArray[np.uint64] | np.uint64
) -> NDArray[np.uint64]:
    state = (state ^ values) + _GOLDEN
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return np.asarray(state ^ (state >> np.uint64(31)), np.uint64)
