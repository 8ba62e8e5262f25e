"""Decoder layers in one native call, where all their experts are here; others go one by one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Protocol

import torch

from remoe_functions.kernel.attention import NewTokens, Slots
from remoe_functions.kernel.stretch import Block, Stretch
from remoe_functions.main.native_layer import NativeLayer
from remoe_functions.main.seats import Seat


class Part(Protocol):
    """Some consecutive layers of a step."""

    def run(self, rows: torch.Tensor, tokens: NewTokens, slots: Sequence[Slots]) -> None:
        """Add the layers' answers to `rows`, float32 [tokens, hidden]."""
        ...


class NativeStretch:
    """Layers that are computed without anybody between them; their routing is told afterwards."""

    def __init__(self, blocks: Sequence[Block], seats: Sequence[Seat]) -> None:
        self._stretch = Stretch(blocks)
        self._layers = [seat.layer for seat in seats]
        self._runner = seats[0].runner

    def run(self, rows: torch.Tensor, tokens: NewTokens, slots: Sequence[Slots]) -> None:
        """Compute the layers; see `Part`."""
        chosen, seconds = self._stretch.run(rows.data_ptr(), tokens, slots)
        self._runner.note(self._layers, chosen, seconds)


def parts_of(layers: Sequence[NativeLayer]) -> list[tuple[slice, Part]]:
    """A step's layers in as few parts as there can be, with the layers of each."""
    blocks = [layer.block for layer in layers]
    parts: list[tuple[slice, Part]] = []
    for whole, numbers in groupby(range(len(layers)), lambda number: blocks[number] is not None):
        if not whole:
            parts += [(slice(number, number + 1), layers[number]) for number in numbers]
            continue
        some = list(numbers)
        both = [(blocks[it], layers[it].seat) for it in some]
        stretch = NativeStretch(
            [block for block, _ in both if block], [seat for _, seat in both if seat]
        )
        parts.append((slice(some[0], some[-1] + 1), stretch))
    return parts
