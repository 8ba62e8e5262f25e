"""The checkpoint's table of token embeddings. Read through the mapping only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.tensors import Dtype

_ENDINGS = ("embed_tokens.weight", "wte.weight", "embed_in.weight", "word_embeddings.weight")
_READABLE = (Dtype.FLOAT32, Dtype.FLOAT16, Dtype.BFLOAT16)


def embedding_table(checkpoint: Checkpoint) -> NDArray[Any] | None:
    """The [vocabulary, hidden] table (bfloat16 as uint16); None where none is recognized."""
    hidden = checkpoint.architecture.hidden_size
    # The shortest name first: a second head's table lies deeper than the model's own.
    for name in sorted((n for n in checkpoint.names if n.endswith(_ENDINGS)), key=len):
        tensor = checkpoint.tensor(name)
        if tensor.dtype in _READABLE and len(tensor.shape) == 2 and tensor.shape[1] == hidden:
            return np.asarray(tensor.array)
    return None
