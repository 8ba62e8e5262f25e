"""One bounded table per kind of context, and the mean of all tokens under them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.context_keys import Context, context_keys
from remoe_planner.forecasting.count_table import CountTable
from remoe_planner.forecasting.recent_table import RecentTable
from remoe_planner.forecasting.routed_prompt import RoutedPrompt
from remoe_planner.forecasting.shape import RoutingShape

_MEAN_MEMORY_TOKENS = 2.0**20


class Tables:
    """All that is counted."""

    def __init__(
        self,
        shape: RoutingShape,
        words: NDArray[np.int64] | None,
        capacities: Mapping[Context, int],
        *,
        dtype: type[np.unsignedinteger[Any]] = np.uint8,
        per_key: int = 16,
        salt: int = 0,
    ) -> None:
        """Empty tables.

        Args:
            shape: of the routing.
            words: [vocabulary] class of each token, None for none.
            capacities: rows or slots of each table.
            dtype: of the counts; a wider one is halved later.
            per_key: routings kept of one exact context.
            salt: of the keys.
        """
        self.shape = shape
        self._words = words
        self._salt = salt
        self._counted = {
            context: CountTable(shape, capacity=capacities[context], dtype=dtype)
            for context in (Context.WORD, Context.TOKEN)
        }
        self._recent = {
            context: RecentTable(shape, capacity=capacities[context], per_key=per_key)
            for context in (Context.PAIR, Context.TRIPLE)
        }
        self._tables: dict[Context, CountTable | RecentTable] = {**self._counted, **self._recent}
        self._hits = np.zeros(shape.cells)
        self._tokens = 0.0

    def __getitem__(self, context: Context) -> CountTable | RecentTable:
        return self._tables[context]

    @property
    def by_token(self) -> CountTable:
        """The table of tokens out of context."""
        return self._counted[Context.TOKEN]

    @property
    def tokens(self) -> float:
        """Tokens counted; older ones fade beyond about a million."""
        return self._tokens

    @property
    def nbytes(self) -> int:
        return self._hits.nbytes + sum(table.nbytes for table in self._tables.values())

    def keys(self, tokens: NDArray[np.int64]) -> NDArray[np.uint64]:
        """The keys of a prompt's contexts, [contexts, n]."""
        return context_keys(tokens, self._words, self._salt)

    def mean(self) -> NDArray[np.float32]:
        """The mean spread of a token, [layers, experts]; even before the first."""
        even = np.full(self.shape.cells, 1 / self.shape.experts)
        spread = self._hits / (self._tokens * self.shape.top_k) if self._tokens else even
        return spread.reshape(self.shape.table).astype(np.float32)

    def add(self, prompt: RoutedPrompt) -> None:
        """Count a prompt.

        Raises:
            ValueError: its routing is of another shape.
        """
        cells = prompt.cells(self.shape)
        for context, keys in zip(Context, self.keys(prompt.query.tokens), strict=True):
            self._tables[context].add(keys, cells)
        self._hits += np.bincount(cells.ravel(), minlength=self.shape.cells)
        self._tokens += len(cells)
        if self._tokens > _MEAN_MEMORY_TOKENS:
            self._halve_mean()

    def halve(self) -> None:
        """Forget half of all evidence."""
        for table in self._tables.values():
            table.halve()
        self._halve_mean()

    def arrays(self, least_seen: int = 1) -> Mapping[str, NDArray[Any]]:
        """Everything counted, as plain arrays; of exact contexts those seen at least so often."""
        counted = {context: table.arrays() for context, table in self._counted.items()}
        recent = {context: table.arrays(least_seen) for context, table in self._recent.items()}
        tables = {
            f"{context.name.lower()}.{name}": array
            for context, found in {**counted, **recent}.items()
            for name, array in found.items()
        }
        return {"hits": self._hits, "tokens": np.array(self._tokens), **tables}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `arrays` was taken from.

        Raises:
            ValueError: the arrays are of another shape.
        """
        for context, table in self._tables.items():
            prefix = f"{context.name.lower()}."
            table.restore(
                {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
            )
        self._hits = arrays["hits"].astype(np.float64)
        self._tokens = float(arrays["tokens"])

    def _halve_mean(self) -> None:
        self._hits /= 2
        self._tokens /= 2
