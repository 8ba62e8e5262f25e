"""What was seen of a model's routing: one row per prompt served. A value, never a file.

Where it is kept and how it is written is `remoe_functions.history`'s work; what follows from it
(utility, forecasts) stands in the modules of those names.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActivationHistory:
    """The recorded requests of one model revision, oldest first.

    Attributes:
        vectors: [n, hidden] float32, each prompt's vector (`prompt_vector`); zeros where unknown.
        prefill: [n, layers, experts], assignments of prompt tokens.
        decode: [n, layers, experts], assignments of generated tokens.
        prompt_tokens: [n], tokens of each prompt.
        decode_tokens: [n], decode steps of each request.
        times: [n], how often each prompt came; every count above is of all its times together.
            None: once each.
    """

    vectors: NDArray[np.float32]
    prefill: NDArray[np.uint32]
    decode: NDArray[np.uint32]
    prompt_tokens: NDArray[np.uint32]
    decode_tokens: NDArray[np.uint32]
    times: NDArray[np.uint32] | None = None

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2:
            raise ValueError(f"vectors must be [n, hidden], got shape {self.vectors.shape}")
        if self.prefill.ndim != 3 or self.decode.shape != self.prefill.shape:
            raise ValueError(
                "prefill and decode must both be [n, layers, experts], "
                f"got {self.prefill.shape} and {self.decode.shape}"
            )
        for name in ("prefill", "prompt_tokens", "decode_tokens"):
            if len(getattr(self, name)) != len(self.vectors):
                raise ValueError(f"{name} must have {len(self.vectors)} rows, as vectors has")
        if self.times is not None and self.times.shape != (len(self.vectors),):
            raise ValueError(f"times must have {len(self.vectors)} rows, as vectors has")

    @classmethod
    def empty(cls, shape: tuple[int, int], hidden_size: int) -> ActivationHistory:
        """No requests, of a model with this (layers, experts) shape."""
        return cls(
            vectors=np.zeros((0, hidden_size), np.float32),
            prefill=np.zeros((0, *shape), np.uint32),
            decode=np.zeros((0, *shape), np.uint32),
            prompt_tokens=np.zeros(0, np.uint32),
            decode_tokens=np.zeros(0, np.uint32),
        )

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def requests(self) -> int:
        """Requests served, every time of every prompt."""
        return len(self) if self.times is None else int(self.times.sum(dtype=np.uint64))

    @property
    def shape(self) -> tuple[int, int]:
        """(MoE layers, experts per layer)."""
        return self.prefill.shape[1], self.prefill.shape[2]
