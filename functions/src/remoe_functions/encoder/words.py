"""Words of the text, hashed: for models whose embedding table is not understood."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"\w+")


class WordsEncoder:
    """Logarithms of word counts, each word at a place told by its hash."""

    def __init__(self, width: int = 2048) -> None:
        if width < 1:
            raise ValueError(f"width must be >= 1, got {width}")
        self._width = width

    @property
    def identity(self) -> str:
        return f"words-{self._width}"

    @property
    def width(self) -> int:
        return self._width

    def encode(self, tokens: Sequence[int], text: str) -> NDArray[np.float32]:  # noqa: ARG002
        places = [zlib.crc32(word.encode()) % self._width for word in _WORD.findall(text.lower())]
        counts = np.bincount(np.array(places, np.int64), minlength=self._width)
        return np.log1p(counts).astype(np.float32)
