"""A prompt as one vector: the sum of its tokens' unit embeddings.

The paper's soft cosine of two prompts (eq. 11) is exactly the cosine of two such sums, so one
vector per prompt replaces the matrix of token similarities.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def prompt_vector(table: NDArray[Any], tokens: Sequence[int]) -> NDArray[np.float32]:
    """The sum of the unit-length embeddings of a prompt's tokens, [hidden] float32.

    Args:
        table: [vocabulary, hidden], float32, float16, or bfloat16 as its bits in uint16.
        tokens: the prompt's token ids; may be empty (a zero vector).

    Raises:
        ValueError: a token is not in the table, or the table is not a matrix.
    """
    if table.ndim != 2:
        raise ValueError(f"table must be [vocabulary, hidden], got shape {table.shape}")
    ids = np.asarray(tokens, dtype=np.int64)
    if ids.size and not 0 <= ids.min() <= ids.max() < len(table):
        raise ValueError(f"tokens must be in 0..{len(table) - 1}, got {ids.min()}..{ids.max()}")
    rows = _as_float32(table[ids])
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return np.asarray(units.sum(axis=0, dtype=np.float64), dtype=np.float32)


def _as_float32(rows: NDArray[Any]) -> NDArray[np.float32]:
    if rows.dtype == np.uint16:
        return (rows.astype(np.uint32) << 16).view(np.float32)
    return rows.astype(np.float32)
