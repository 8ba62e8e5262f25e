"""The last few routings of each exact context, in bounded memory.

Most pairs and triples of tokens are seen once or twice: their routings themselves are far smaller
than a row of counts. A ring of slots; a context that has all its slots gives up its oldest, and the
ring overwrites the oldest of all. So old evidence goes by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_planner.forecasting.shape import RoutingShape

_FIRST_SLOTS = 256


class RecentTable:
    """Slots of [picks] experts, found by key."""

    def __init__(self, shape: RoutingShape, *, capacity: int, per_key: int = 16) -> None:
        if capacity < 1 or per_key < 1:
            raise ValueError(
                f"capacity and per_key must be >= 1, got {capacity} slots, {per_key} a key"
            )
        self._shape = shape
        self._capacity = capacity
        self._per_key = per_key
        self._next = 0
        self._slots_of: dict[int, list[int]] = {}
        slots = min(capacity, _FIRST_SLOTS)
        self._keys = np.zeros(slots, np.uint64)
        self._used = np.zeros(slots, bool)
        self._experts = np.zeros((slots, shape.picks), np.min_scalar_type(shape.experts - 1))
        self._first_cell = np.repeat(np.arange(shape.layers) * shape.experts, shape.top_k)

    def __len__(self) -> int:
        return len(self._slots_of)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self._keys.nbytes + self._used.nbytes + self._experts.nbytes

    def lookup(
        self, keys: NDArray[np.uint64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]:
        """Which keys were seen [n]; of those, counts [s, layers, experts] and sums [s, layers]."""
        found = [self._slots_of.get(key) for key in keys.tolist()]
        held = [slots for slots in found if slots is not None]
        sizes = np.array([len(slots) for slots in held], np.int64)
        slots = np.array([slot for slots in held for slot in slots], np.int64)
        cells = self._experts[slots].astype(np.int64) + self._first_cell
        cells += (np.repeat(np.arange(len(held)), sizes) * self._shape.cells)[:, None]
        hits = np.bincount(cells.ravel(), minlength=len(held) * self._shape.cells)
        sums = np.repeat(sizes[:, None] * self._shape.top_k, self._shape.layers, axis=1)
        seen = np.array([slots is not None for slots in found], bool)
        return (
            seen,
            hits.astype(np.float32).reshape(-1, *self._shape.table),
            sums.astype(np.float32),
        )

    def add(self, keys: NDArray[np.uint64], cells: NDArray[np.int64]) -> None:
        """Keep the routing of tokens: keys [n], and the flat cells each token hits, [n, picks]."""
        experts = cells - self._first_cell
        for key, row in zip(keys.tolist(), experts, strict=True):
            slot = self._slot_for(key)
            self._keys[slot], self._used[slot], self._experts[slot] = key, True, row

    def halve(self) -> None:
        """Forget the older half of each context's routings, all of one seen once."""
        for key, slots in list(self._slots_of.items()):
            for _ in range((len(slots) + 1) // 2):
                self._used[slots.pop(0)] = False
            if not slots:
                del self._slots_of[key]

    def arrays(self, least_seen: int = 1) -> Mapping[str, NDArray[Any]]:
        """The slots in use, the oldest first; of contexts with at least so many slots."""
        order = np.roll(np.arange(len(self._keys)), -self._next)
        kept = order[self._used[order]]
        if least_seen > 1:
            _, place, times = np.unique(self._keys[kept], return_inverse=True, return_counts=True)
            kept = kept[times[place] >= least_seen]
        return {"keys": self._keys[kept], "experts": self._experts[kept]}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become what `arrays` was taken from; of more slots than fit, the newest.

        Raises:
            ValueError: the arrays are of another shape.
        """
        experts = np.asarray(arrays["experts"])
        if experts.ndim != 2 or experts.shape[1] != self._shape.picks:
            raise ValueError(f"experts must be [slots, {self._shape.picks}], got {experts.shape}")
        keys = np.asarray(arrays["keys"], np.uint64)
        if keys.shape != experts.shape[:1] or (experts >= self._shape.experts).any():
            raise ValueError(f"keys and experts must fit the shape, got {keys.shape} keys")
        keys, experts = keys[-self._capacity :], experts[-self._capacity :]
        held = len(keys)
        while len(self._keys) < held:
            self._grow()
        self._keys[:held], self._experts[:held] = keys, experts
        self._used[:held], self._used[held:] = True, False
        self._next = held % self._capacity
        self._slots_of = {}
        for slot, key in enumerate(keys.tolist()):
            self._slots_of.setdefault(key, []).append(slot)

    def _slot_for(self, key: int) -> int:
        slots = self._slots_of.setdefault(key, [])
        if len(slots) >= self._per_key:
            slots.append(slots.pop(0))
            return slots[-1]
        slot = self._free_slot()
        self._slots_of.setdefault(key, slots).append(slot)
        return slot

    def _free_slot(self) -> int:
        slot = self._next
        self._next = (slot + 1) % self._capacity
        if slot >= len(self._keys):
            self._grow()
        if self._used[slot]:
            self._release(slot)
        return slot

    def _release(self, slot: int) -> None:
        key = int(self._keys[slot])
        slots = self._slots_of[key]
        slots.remove(slot)
        if not slots:
            del self._slots_of[key]

    def _grow(self) -> None:
        more = min(self._capacity, len(self._keys) * 2) - len(self._keys)
        self._keys = np.concatenate([self._keys, np.zeros(more, np.uint64)])
        self._used = np.concatenate([self._used, np.zeros(more, bool)])
        empty = np.zeros((more, self._shape.picks), self._experts.dtype)
        self._experts = np.concatenate([self._experts, empty])
