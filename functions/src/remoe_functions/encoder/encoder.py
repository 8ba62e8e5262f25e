"""The seam every encoder fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Encoder(Protocol):
    """Turns prompts into vectors. Immutable, so threads may share it."""

    @property
    def identity(self) -> str:
        """What tells its vectors from all others': those of two identities are never compared."""

    @property
    def width(self) -> int:
        """Numbers in a vector."""

    def encode(self, tokens: Sequence[int], text: str) -> NDArray[np.float32]:
        """The prompt's vector, float32 [width]; zeros where it says nothing.

        Args:
            tokens: the prompt's token ids, as the model gets them.
            text: what the user wrote, as far as it is known.

        Raises:
            ValueError: a token is not one of the model's.
        """
