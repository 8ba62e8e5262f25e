"""What matrices in blocks are worth in float32: what every kernel is held against.

For kernels without a native library too; nothing here is fast.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_functions.checkpoint.blocks import BLOCK, E8M0_BIAS, BlockFormat, BlockTensor


def values_of(matrix: BlockTensor, begin: int = 0, end: int | None = None) -> NDArray[np.float32]:
    """The weights [out, in] in float32, or rows `begin` to `end` of them.

    Each is the product of two short numbers, so nothing is rounded.
    """
    end = matrix.out_size if end is None else end
    panel = matrix.format.panel
    panels = slice(begin // panel, -(-end // panel))
    codes = _code_values(matrix.codes[panels], matrix.format)
    scales = _scales_of_rows(matrix.scales[panels], matrix.format)
    with np.errstate(over="ignore", invalid="ignore"):
        values = codes * scales[:, :, None]
    first = panels.start * panel
    return values.reshape(len(codes), -1)[begin - first : end - first, : matrix.in_size]


def scale_values(matrix: BlockTensor) -> NDArray[np.float32]:
    """The scales [out, blocks] in float32."""
    return _scales_of_rows(matrix.scales, matrix.format)[: matrix.out_size]


def _scales_of_rows(scales: NDArray[Any], kind: BlockFormat) -> NDArray[np.float32]:
    """[rows, blocks], what fills up a panel among them."""
    if kind is BlockFormat.MXFP4:
        return np.ldexp(np.float32(1), scales.astype(np.int32) - E8M0_BIAS)
    numbers = (scales.astype(np.uint32) << 16).view(np.float32)
    panels = numbers.reshape(len(scales), -1, kind.panel)
    return np.ascontiguousarray(panels.swapaxes(1, 2)).reshape(len(scales) * kind.panel, -1)


def _code_values(codes: NDArray[Any], kind: BlockFormat) -> NDArray[np.float32]:
    """[rows, blocks, BLOCK], what fills up a panel among them."""
    if kind is BlockFormat.Q8:
        # panel, block, eight of its columns, even or odd ones, row, four columns
        eights = codes.reshape(len(codes), -1, 4, 2, kind.panel, 4)
        rows = eights.transpose(0, 4, 1, 2, 5, 3)
        return rows.reshape(len(codes) * kind.panel, -1, BLOCK).astype(np.float32)
    # panel, block, eight of its columns, row, four bytes
    eights = codes.reshape(len(codes), -1, 4, kind.panel, 4)
    both = eights.transpose(0, 3, 1, 2, 4).reshape(len(codes) * kind.panel, -1, BLOCK // 2)
    pairs = np.stack([both & 0x0F, both >> 4], axis=-1).reshape(len(both), -1, BLOCK)
    return np.array(kind.table, np.float32)[pairs]
