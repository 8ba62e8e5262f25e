"""The paper's encoder (eq. 11): the sum of the tokens' unit embeddings, from the model's own table.

Its cosine is the paper's soft cosine. The default: it needs no model, no text and no second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.encoder.embedding_table import embedding_table
from remoe_functions.encoder.errors import EncoderError
from remoe_planner.prompt_vector import prompt_vector


class TokenSumEncoder:
    """Reads only the rows of a prompt's tokens."""

    def __init__(self, table: NDArray[Any]) -> None:
        """Args: table: [vocabulary, hidden], float32, float16, or bfloat16 as uint16.

        Raises:
            ValueError: the table is not a matrix.
        """
        if table.ndim != 2:
            raise ValueError(f"table must be [vocabulary, hidden], got shape {table.shape}")
        self._table = table

    @classmethod
    def open(cls, checkpoint: Checkpoint) -> Self:
        """The encoder of a checkpoint.

        Raises:
            EncoderError: its embedding table is not recognized.
        """
        table = embedding_table(checkpoint)
        if table is None:
            raise EncoderError(
                f"{checkpoint.directory}: no table of token embeddings was recognized; "
                f"choose the encoder `words` or `sentence`, which read the text"
            )
        return cls(table)

    @property
    def identity(self) -> str:
        return f"tokens-{self.width}"

    @property
    def width(self) -> int:
        return int(self._table.shape[1])

    def encode(self, tokens: Sequence[int], text: str) -> NDArray[np.float32]:  # noqa: ARG002
        return prompt_vector(self._table, tokens)
