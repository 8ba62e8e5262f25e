"""Layers one after the other in one native call: attention, router and experts of each.

For layers with nobody else in them; what is called between two of them costs more than a small
layer's attention, since a layer's weights sweep the caches.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_functions.checkpoint.address import address_of
from remoe_functions.kernel.attention import (
    Attention,
    NewTokens,
    Outcome,
    Slots,
    check_step,
    packed_step,
)
from remoe_functions.kernel.layout import BLOCK, STRETCH, Format
from remoe_functions.kernel.library import library
from remoe_functions.kernel.native_expert import ExpertTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One layer: its attention, with a router, and all experts that this chooses among."""

    attention: Attention
    experts: ExpertTable

    def __post_init__(self) -> None:
        routing = self.attention.routing
        if routing is None or routing.experts != len(self.experts):
            raise ValueError(f"experts must be those of the router, got {len(self.experts)}")
        if self.experts.hidden_size != self.attention.hidden:
            raise ValueError(f"experts must be {self.attention.hidden} wide")


class Stretch:
    """Some layers of one shape."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        """Put layers together.

        Raises:
            ValueError: none, or they are not of one shape.
        """
        if not blocks:
            raise ValueError("blocks must not be empty")
        self._blocks = tuple(blocks)
        first = blocks[0].attention
        for block in blocks:
            other = block.attention
            if (other.hidden, other.size, other.format, other.routing) != (
                first.hidden,
                first.size,
                first.format,
                first.routing,
            ):
                raise ValueError("blocks must be of one shape")
        self._first = first

    def __len__(self) -> int:
        return len(self._blocks)

    def run(
        self, rows: int, tokens: NewTokens, slots: Sequence[Slots]
    ) -> tuple[NDArray[np.uint16], float]:
        """Compute the layers.

        Args:
            rows: address of float32 [tokens, hidden]; the layers' answers are added.
            tokens: what all layers share.
            slots: of each layer; all of one room.

        Returns:
            The chosen experts [layers, tokens, top_k], and the seconds that experts took.

        Raises:
            ValueError: no tokens, or a position without room in its slot.
            MemoryError: no memory for what lies between the products.
        """
        first, routing = self._first, self._blocks[0].attention.routing
        if routing is None or tokens.count < 1:
            raise ValueError(f"count must be >= 1, got {tokens.count}")
        chosen = np.empty((len(self), tokens.count, routing.top_k), np.uint16)
        shares = np.empty(chosen.shape[1:], np.float32)
        width = 2 if first.format is Format.BF16 else 4
        normed = np.empty((tokens.count, width * first.hidden), np.uint8)
        answers = np.empty((tokens.count, first.hidden), np.float64)
        pairs = np.repeat(np.arange(tokens.count, dtype=np.uint32), routing.top_k)
        out = Outcome(rows=rows, normed=address_of(normed), chosen=0, shares=address_of(shares))
        blocks = self._packed(chosen, slots)
        seconds = ctypes.c_double(0.0)
        call = STRETCH.pack(
            packed_step(first, tokens, slots[0], out),
            ctypes.addressof(blocks),
            len(self),
            address_of(answers),
            address_of(pairs),
            ctypes.addressof(seconds),
        )
        check_step(library().remoe_run_stretch(call), slots[0].room)
        return chosen, seconds.value

    def _packed(
        self, chosen: NDArray[np.uint16], slots: Sequence[Slots]
    ) -> ctypes.Array[ctypes.c_char]:
        place, each = address_of(chosen), chosen[0].nbytes
        packed = b"".join(
            BLOCK.pack(
                block.attention.address,
                block.experts.address,
                its.keys,
                its.values,
                place + each * index,
            )
            for index, (block, its) in enumerate(zip(self._blocks, slots, strict=True))
        )
        return ctypes.create_string_buffer(packed, len(packed))
