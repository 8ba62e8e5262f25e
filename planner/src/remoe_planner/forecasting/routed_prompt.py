"""A prompt and the experts its tokens visited: one piece of evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.shape import RoutingShape


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Query:
    """A prompt whose routing is to be foretold.

    Attributes:
        tokens: [n] token ids, >= 0, in order.
        vector: [width] `prompt_vector` of it, None where there is none.
    """

    tokens: NDArray[np.int64]
    vector: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.tokens.ndim != 1 or self.tokens.dtype.kind not in "iu":
            raise ValueError(
                f"tokens must be whole numbers [n], got {self.tokens.dtype} {self.tokens.shape}"
            )
        if self.tokens.size and self.tokens.min() < 0:
            raise ValueError(f"tokens must be >= 0, got {self.tokens.min()}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoutedPrompt:
    """What was asked and where it went.

    Attributes:
        query: the prompt.
        experts: [n, layers, top_k] experts of each token, in any order within a layer.
    """

    query: Query
    experts: NDArray[Any]

    def __post_init__(self) -> None:
        if self.experts.ndim != 3 or self.experts.dtype.kind not in "iu":
            raise ValueError(
                "experts must be whole numbers [tokens, layers, top_k], "
                f"got {self.experts.dtype} {self.experts.shape}"
            )
        if len(self.experts) != len(self.query.tokens):
            raise ValueError(
                f"experts must have a row per token ({len(self.query.tokens)}), "
                f"got {len(self.experts)}"
            )

    def cells(self, shape: RoutingShape) -> NDArray[np.int64]:
        """The flat (layer, expert) cells each token hits, [n, layers * top_k].

        Raises:
            ValueError: the routing is not of this shape.
        """
        if self.experts.shape[1:] != (shape.layers, shape.top_k):
            raise ValueError(
                f"experts must be [n, {shape.layers}, {shape.top_k}], got {self.experts.shape}"
            )
        ids = self.experts.astype(np.int64)
        if ids.size and not 0 <= ids.min() <= ids.max() < shape.experts:
            raise ValueError(
                f"experts must be in 0..{shape.experts - 1}, got {ids.min()}..{ids.max()}"
            )
        ids += (np.arange(shape.layers) * shape.experts)[None, :, None]
        return ids.reshape(len(ids), shape.picks)

    def counts(self, shape: RoutingShape) -> NDArray[np.float64]:
        """Assignments per expert, [layers, experts].

        Raises:
            ValueError: as `cells` says.
        """
        hits = np.bincount(self.cells(shape).ravel(), minlength=shape.cells)
        return hits.reshape(shape.table).astype(np.float64)

    def frequencies(self, shape: RoutingShape) -> NDArray[np.float64]:
        """The share of each expert in its layer, [layers, experts]; even where nothing was asked.

        Raises:
            ValueError: as `cells` says.
        """
        if not len(self.experts):
            return np.full(shape.table, 1 / shape.experts)
        return self.counts(shape) / (len(self.experts) * shape.top_k)
