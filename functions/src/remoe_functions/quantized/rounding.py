"""Weights to codes and scales. Pure arithmetic, the same bits on every machine.

Q8: the largest weight of a block sets the scale. Q4: of six scales, which put the weight of the
largest magnitude near one end of the table or the other, the one is taken with which the codes lie
nearest to the weights; it is then fitted to them by least squares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_functions.checkpoint.blocks import BLOCK, PANEL, BlockFormat, blocks_of
from remoe_functions.quantized.panels import codes_in_panels, scales_in_panels

Float32 = NDArray[np.float32]

LARGEST_WEIGHT = 1e15
_TINY = 1e-18
_AT_ONCE = 1 << 11
_LARGEST_CODE = np.float32(127)
_TABLE = np.array(BlockFormat.Q4.table, np.float32)
_STRETCHES = (0.9, 1.0, 1.1)
# Codes by the rounded weight over scale; the table's ends are met far before the index's.
_REACH = 160
_CODE_OF = np.searchsorted(
    (_TABLE[1:] + _TABLE[:-1]) / 2, np.arange(-_REACH, _REACH + 1, dtype=np.float32)
).astype(np.uint8)
_VALUE_OF = _TABLE[_CODE_OF]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounded:
    """A matrix's rows as a sidecar has them.

    Attributes:
        codes: `BlockFormat.code_shape`.
        scales: bfloat16 as uint16, `BlockFormat.scale_shape`.
    """

    codes: NDArray[Any]
    scales: NDArray[np.uint16]


def rounded(weights: Float32, precision: BlockFormat) -> Rounded:
    """Rows of weights [out, in] in blocks along `in`.

    Raises:
        ValueError: the format is not one that is made here, or a weight is not finite or beyond
            1e15.
    """
    if precision not in _ROUNDED:
        raise ValueError(f"precision must be one of {', '.join(_ROUNDED)}, got {precision}")
    if not np.abs(weights).max(initial=0) <= LARGEST_WEIGHT:
        raise ValueError(f"weights must be finite and at most {LARGEST_WEIGHT:g}")
    rows = -(-len(weights) // PANEL) * PANEL
    if rows != len(weights):
        weights = np.pad(weights, ((0, rows - len(weights)), (0, 0)))
    parts = [_ROUNDED[precision](part) for part in _in_blocks(weights)]
    codes = np.concatenate([codes for codes, _ in parts]).reshape(rows, -1)
    scales = _bits(np.concatenate([scales for _, scales in parts])).reshape(rows, -1)
    return Rounded(codes=codes_in_panels(codes, precision), scales=scales_in_panels(scales))


def _in_blocks(weights: Float32) -> Iterator[Float32]:
    """Some blocks at a time, [BLOCK, blocks]: what is done to all of them runs along memory."""
    width = weights.shape[1]
    full = blocks_of(width) * BLOCK
    if full != width:
        weights = np.pad(weights, ((0, 0), (0, full - width)))
    blocks = weights.reshape(-1, BLOCK)
    for begin in range(0, len(blocks), _AT_ONCE):
        yield np.ascontiguousarray(blocks[begin : begin + _AT_ONCE].T)


def _eight_bits(blocks: Float32) -> tuple[NDArray[np.int8], Float32]:
    # Rounded up, so that the largest weight is not cut off.
    scales = _bfloat16(np.abs(blocks).max(axis=0) / _LARGEST_CODE, up=True)
    codes = np.rint(blocks * _inverse(scales))
    return codes.clip(-_LARGEST_CODE, _LARGEST_CODE).astype(np.int8).T, scales


def _four_bits(blocks: Float32) -> tuple[NDArray[np.uint8], Float32]:
    scales = _bfloat16(_best_scales(blocks))
    codes = _CODE_OF[_places(blocks, _inverse(scales))]
    return (codes[0::2] | codes[1::2] << np.uint8(4)).T, scales


def _best_scales(blocks: Float32) -> Float32:
    where = np.abs(blocks).argmax(axis=0)[None]
    inverse = _inverse(np.take_along_axis(blocks, where, axis=0)[0])
    best, gain = np.zeros_like(inverse), np.full_like(inverse, -1)
    for end in (_TABLE[0], _TABLE[-1]):
        for stretch in _STRETCHES:
            scales, gains = _fitted(blocks, inverse * np.float32(end * stretch))
            better = gains > gain
            best, gain = np.where(better, scales, best), np.where(better, gains, gain)
    return best


def _fitted(blocks: Float32, inverse: Float32) -> tuple[Float32, Float32]:
    """(scale, gain): for these codes the scale of least squared error, and what it takes off it."""
    values = _VALUE_OF[_places(blocks, inverse)]
    # Sums along the first axis are made row by row: one order of additions wherever it runs.
    along = (blocks * values).sum(axis=0)
    scales = along / np.square(values).sum(axis=0)
    return scales, along * scales


def _places(blocks: Float32, inverse: Float32) -> NDArray[np.int16]:
    places = blocks * inverse
    np.rint(places, out=places)
    np.clip(places, -_REACH, _REACH, out=places)
    return places.astype(np.int16) + np.int16(_REACH)


def _inverse(values: Float32) -> Float32:
    """1 / value; 0 for values so small that their blocks count as zeros."""
    tiny = np.abs(values) < _TINY
    return np.where(tiny, np.float32(0), np.float32(1) / np.where(tiny, np.float32(1), values))


def _bfloat16(values: Float32, *, up: bool = False) -> Float32:
    """The nearest bfloat16 (ties to even), or the next above for values >= 0."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    nearest = np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    carry = np.uint32(0xFFFF) if up else nearest
    return ((bits + carry) & np.uint32(0xFFFF0000)).view(np.float32)


def _bits(scales: Float32) -> NDArray[np.uint16]:
    return (scales.view(np.uint32) >> np.uint32(16)).astype(np.uint16)


_ROUNDED: Mapping[BlockFormat, Callable[[Float32], tuple[NDArray[Any], Float32]]] = {
    BlockFormat.Q8: _eight_bits,
    BlockFormat.Q4: _four_bits,
}
