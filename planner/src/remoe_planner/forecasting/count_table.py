"""Expert counts by context key, in bounded memory.

Counts are small whole numbers; a row about to overflow is halved, which is also how old evidence
fades. A full table drops its least used rows, the longest unseen first among equals. What keys
mean, and how counts become a forecast, belong elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.shape import RoutingShape

_BATCH = 64
_DROPPED_SHARE = 8
_FIRST_ROWS = 256


class CountTable:
    """Rows of [layers, experts] counts, found by key."""

    def __init__(
        self, shape: RoutingShape, *, capacity: int, dtype: type[np.unsignedinteger[Any]] = np.uint8
    ) -> None:
        if capacity < _BATCH * 2:
            raise ValueError(f"capacity must be >= {_BATCH * 2} rows, got {capacity}")
        self._shape = shape
        self._capacity = capacity
        self._ceiling = int(np.iinfo(dtype).max)
        self._row_of: dict[int, int] = {}
        self._clock = 0
        rows = min(capacity, _FIRST_ROWS)
        self._keys = np.zeros(rows, np.uint64)
        self._counts = np.zeros((rows, shape.cells), dtype)
        self._layer_sums = np.zeros((rows, shape.layers), np.uint32)
        self._tokens = np.zeros(rows, np.uint32)
        self._seen = np.zeros(rows, np.uint32)

    def __len__(self) -> int:
        return len(self._row_of)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays, and of the index of keys as arrays would hold it."""
        held = (self._keys, self._counts, self._layer_sums, self._tokens, self._seen)
        return sum(array.nbytes for array in held)

    def find(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The row of each key, -1 for one never seen (numpy's own mark for absent), [n]."""
        rows = self._row_of
        return np.array([rows.get(key, -1) for key in keys.tolist()], dtype=np.int64)

    def lookup(
        self, keys: NDArray[np.uint64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]:
        """Which keys were seen [n]; of those, counts [s, layers, experts] and sums [s, layers]."""
        rows = self.find(keys)
        seen = rows >= 0
        return seen, self.counts(rows[seen]), self.layer_sums(rows[seen])

    def counts(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Counts of existing rows, [n, layers, experts]."""
        return self._counts[rows].reshape(-1, *self._shape.table).astype(np.float32)

    def layer_sums(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Each layer's sum of counts: tokens seen times top-k, [n, layers]."""
        return self._layer_sums[rows].astype(np.float32)

    def most_seen(self, limit: int) -> NDArray[np.int64]:
        """Rows of the keys seen most, at most `limit`; ties go to the smaller key."""
        used = len(self)
        order = np.lexsort((self._keys[:used], -self._tokens[:used].astype(np.int64)))
        return np.asarray(order[:limit], np.int64)

    def add(self, keys: NDArray[np.uint64], cells: NDArray[np.int64]) -> None:
        """Count tokens: keys [n], and the flat cells each token hits, [n, picks]."""
        for start in range(0, len(keys), _BATCH):
            self._add_batch(keys[start : start + _BATCH], cells[start : start + _BATCH])

    def halve(self) -> None:
        """Forget half of all evidence; rows left with nothing go."""
        used = np.arange(len(self))
        self._halve_rows(used)
        self._keep(used[self._counts[used].any(axis=1)])

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """The rows in use."""
        n = len(self)
        return {
            "keys": self._keys[:n],
            "counts": self._counts[:n],
            "tokens": self._tokens[:n],
            "seen": self._seen[:n],
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `arrays` was taken from.

        Raises:
            ValueError: the arrays are of another shape, or more rows than the capacity.
        """
        counts = np.asarray(arrays["counts"])
        if counts.ndim != 2 or counts.shape[1] != self._shape.cells:
            raise ValueError(f"counts must be [rows, {self._shape.cells}], got {counts.shape}")
        if len(counts) > self._capacity:
            raise ValueError(f"counts must have <= {self._capacity} rows, got {len(counts)}")
        self._row_of = {}
        self._reserve(len(counts))
        used = slice(0, len(counts))
        self._keys[used], self._counts[used] = arrays["keys"], counts
        self._tokens[used], self._seen[used] = arrays["tokens"], arrays["seen"]
        self._row_of = {int(key): row for row, key in enumerate(self._keys[used].tolist())}
        self._clock = int(self._seen[used].max(initial=0))
        self._sum_layers(np.arange(len(counts)))

    def _add_batch(self, keys: NDArray[np.uint64], cells: NDArray[np.int64]) -> None:
        self._clock += 1
        rows = self._rows_for(keys)
        self._halve_rows(np.unique(rows[self._tokens[rows] + len(keys) > self._ceiling]))
        flat = rows[:, None] * self._shape.cells + cells
        np.add.at(self._counts.reshape(-1), flat.ravel(), self._counts.dtype.type(1))
        distinct, times = np.unique(rows, return_counts=True)
        self._layer_sums[distinct] += (times * self._shape.top_k).astype(np.uint32)[:, None]
        self._tokens[distinct] += times.astype(np.uint32)
        self._seen[distinct] = self._clock

    def _rows_for(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """The row of each key, made where there is none."""
        new = {key for key in keys.tolist() if key not in self._row_of}
        if len(self) + len(new) > self._capacity:
            self._drop(max(len(new), self._capacity // _DROPPED_SHARE))
            new = {key for key in keys.tolist() if key not in self._row_of}
        self._reserve(len(self) + len(new))
        for key in dict.fromkeys(keys.tolist()):
            if key in new:
                self._keys[len(self._row_of)] = key
                self._row_of[key] = len(self._row_of)
        return self.find(keys)

    def _reserve(self, rows: int) -> None:
        held = len(self._keys)
        if rows <= held:
            return
        size = min(self._capacity, max(rows, held * 2))
        for name in ("_keys", "_counts", "_layer_sums", "_tokens", "_seen"):
            old = getattr(self, name)
            grown = np.zeros((size, *old.shape[1:]), old.dtype)
            grown[:held] = old
            setattr(self, name, grown)

    def _drop(self, rows: int) -> None:
        used = len(self)
        order = np.lexsort((self._seen[:used], self._tokens[:used]))
        self._keep(np.sort(order[rows:]))

    def _keep(self, rows: NDArray[np.int64]) -> None:
        kept = len(rows)
        for array in (self._keys, self._counts, self._layer_sums, self._tokens, self._seen):
            array[:kept] = array[rows]
            array[kept:] = 0
        self._row_of = {int(key): row for row, key in enumerate(self._keys[:kept].tolist())}

    def _halve_rows(self, rows: NDArray[np.int64]) -> None:
        if len(rows):
            self._counts[rows] >>= 1
            self._tokens[rows] >>= 1
            self._sum_layers(rows)

    def _sum_layers(self, rows: NDArray[np.int64]) -> None:
        counts = self._counts[rows].reshape(-1, *self._shape.table)
        self._layer_sums[rows] = counts.sum(axis=-1, dtype=np.uint32)
