"""The keys and values of all running requests, one slot each, in one tensor per layer.

Slots in use are always 0..n-1, so that a batched decode reads a plain slice and copies nothing;
whoever frees a slot in the middle moves the last one there (`move`). Which request holds which
slot is the engine's matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedConfig
from transformers.cache_utils import (
    Cache,
    CacheLayerMixin,
    DummyLayer,
    DynamicCache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
)

from remoe_functions.kernel.attention import Slots


@dataclass(slots=True)
class View:
    """The part of the cache that a forward pass reads and writes.

    Attributes:
        first: first slot.
        count: slots, one per row of the batch.
        length: tokens in the longest of them, those about to be written counted.
        start: where the new tokens of a single row begin; None for several rows.
        slots: int64 [count], of several rows.
        positions: int64 [count, 1], where the new token of each of several rows goes.
    """

    first: int
    count: int
    length: int
    start: int | None
    slots: torch.Tensor | None = None
    positions: torch.Tensor | None = None


class SlotLayer(CacheLayerMixin):  # type: ignore[misc]
    """One layer's keys and values, [slots, heads, tokens, size]; made at the first update."""

    is_sliding = False

    def __init__(self, cache: SlotCache) -> None:
        super().__init__()
        self._cache = cache
        self.keys: torch.Tensor
        self.values: torch.Tensor

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self.keys = self._room(key_states)
        self.values = self._room(value_states)
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: object, **__: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the new tokens; the view's keys and values, [count, heads, length, size]."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        view = self._cache.view
        return _write(self.keys, key_states, view), _write(self.values, value_states, view)

    def resize(self, slots: int) -> None:
        """Make room for the cache's capacity, keeping the first `slots` slots."""
        if self.is_initialized:
            self.keys = self._moved(self.keys, slots)
            self.values = self._moved(self.values, slots)

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first tokens of a slot to another."""
        if self.is_initialized:
            for tensor in (self.keys, self.values):
                tensor[target, :, :length] = tensor[source, :, :length]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:  # noqa: ARG002
        return self._cache.view.length, 0

    def get_seq_length(self) -> int:
        return self._cache.view.length

    def get_max_length(self) -> int:
        return self._cache.capacity

    def _room(self, like: torch.Tensor) -> torch.Tensor:
        # Zeroed, since a masked weight of 0 times a NaN left in memory would be NaN. On the CPU
        # untouched zero pages cost nothing, so unused slots are free.
        heads, size = like.shape[1], like.shape[3]
        return torch.zeros(
            (self._cache.slots, heads, self._cache.capacity, size),
            dtype=like.dtype,
            device=like.device,
        )

    def _moved(self, old: torch.Tensor, slots: int) -> torch.Tensor:
        new = self._room(old)
        kept = min(old.shape[2], new.shape[2])
        new[:slots, :, :kept] = old[:slots, :, :kept]
        return new


class SlotCache(Cache):  # type: ignore[misc]
    """A transformers cache in which every row of the batch has its own length."""

    def __init__(self, *, layers: int, slots: int, max_tokens: int, block_tokens: int) -> None:
        super().__init__(layers=[SlotLayer(self) for _ in range(layers)])
        self.slots = slots
        self.capacity = min(block_tokens, max_tokens)
        self.view = View(first=0, count=1, length=1, start=0)
        self._first_capacity = self.capacity
        self._max_tokens = max_tokens
        self._block_tokens = block_tokens
        self._slots: tuple[Slots, ...] | None = None

    def look_at_one(self, slot: int, start: int, count: int) -> None:
        """The next forward pass appends `count` tokens at `start` of one slot."""
        self.view = View(first=slot, count=1, length=start + count, start=start)

    def look_at_first(self, lengths: list[int]) -> None:
        """The next forward pass appends one token to each of the first slots."""
        if len(lengths) == 1:
            self.look_at_one(0, lengths[0], 1)
            return
        self.view = View(
            first=0,
            count=len(lengths),
            length=max(lengths) + 1,
            start=None,
            slots=torch.arange(len(lengths)),
            positions=torch.tensor(lengths)[:, None],
        )

    @torch.inference_mode()
    def reserve(self, tokens: int, slots: int) -> None:
        """Have room for so many tokens a slot; the first `slots` slots are in use."""
        if tokens > self._max_tokens:
            raise ValueError(f"tokens must be <= {self._max_tokens}, got {tokens}")
        if tokens > self.capacity:
            blocks = -(-max(tokens, 2 * self.capacity) // self._block_tokens)
            self._resize(min(blocks * self._block_tokens, self._max_tokens), slots)

    @torch.inference_mode()
    def shrink(self) -> None:
        """Give back what long requests took; no slot may be in use."""
        if self.capacity > self._first_capacity:
            self._resize(self._first_capacity, 0)

    @torch.inference_mode()
    def move(self, source: int, target: int, length: int) -> None:
        """Copy a slot's first tokens to another slot."""
        for layer in self.layers:
            layer.move(source, target, length)

    def get_query_offset(self, layer_idx: int = 0) -> Any:  # noqa: ANN401, ARG002
        """Positions of the new tokens: an int where rows agree, else int64 [rows, 1].

        Masks are made from this by `attention.ragged_mask`.
        """
        return self.view.start if self.view.start is not None else self.view.positions

    @property
    def written(self) -> bool:
        """Whether every layer has been written to, and so has its room."""
        return all(layer.is_initialized for layer in self.layers)

    def slots_of_layers(self) -> tuple[Slots, ...]:
        """Where each layer's keys and values lie, until the next `reserve` or `shrink`."""
        if self._slots is None:
            self._slots = tuple(
                Slots(keys=it.keys.data_ptr(), values=it.values.data_ptr(), room=self.capacity)
                for it in self.layers
            )
        return self._slots

    @property
    def nbytes(self) -> int:
        """Bytes reserved; those never written take no memory on the CPU."""
        return sum(
            layer.keys.nbytes + layer.values.nbytes for layer in self.layers if layer.is_initialized
        )

    def _resize(self, capacity: int, slots: int) -> None:
        self.capacity, self._slots = capacity, None
        for layer in self.layers:
            layer.resize(slots)


_SERVED_LAYERS = {DynamicLayer, DynamicSlidingWindowLayer, DummyLayer}


def unserved_states(config: PreTrainedConfig) -> tuple[str, ...]:
    """Kinds of state, other than keys and values, that a model keeps between tokens.

    Recurrent and convolution states, indexers: what `SlotCache` has no slots for. Empty for
    models that it can serve.
    """
    kinds = {type(layer) for layer in DynamicCache(config=config).layers}
    return tuple(sorted(kind.__name__ for kind in kinds - _SERVED_LAYERS))


def _write(kept: torch.Tensor, new: torch.Tensor, view: View) -> torch.Tensor:
    last = view.first + view.count
    if view.start is not None:
        kept[view.first : last, :, view.start : view.length] = new
    elif view.slots is not None and view.positions is not None:
        kept[view.slots, :, view.positions[:, 0]] = new[:, :, 0]
    return kept[view.first : last, :, : view.length]
