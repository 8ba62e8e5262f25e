"""Rows put side by side, as `BlockFormat` says that matrices of Q8 and Q4 lie."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_functions.checkpoint.blocks import BLOCK, PANEL, BlockFormat


def codes_in_panels(codes: NDArray[Any], precision: BlockFormat) -> NDArray[Any]:
    """Codes [rows, bytes], rows a multiple of 16, in panels [rows / 16, 16 * bytes]."""
    if precision is BlockFormat.Q8:
        # panel, row, block, eight of its columns, four of them, even or odd
        eights = codes.reshape(-1, PANEL, codes.shape[1] // BLOCK, 4, 4, 2)
        return np.ascontiguousarray(eights.transpose(0, 2, 3, 5, 1, 4)).reshape(len(eights), -1)
    # panel, row, block, eight of its columns, four bytes
    eights = codes.reshape(-1, PANEL, codes.shape[1] // precision.block_bytes, 4, 4)
    return np.ascontiguousarray(eights.transpose(0, 2, 3, 1, 4)).reshape(len(eights), -1)


def scales_in_panels(scales: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Scales [rows, blocks] in panels [rows / 16, 16 * blocks]."""
    panels = scales.reshape(-1, PANEL, scales.shape[1]).swapaxes(1, 2)
    return np.ascontiguousarray(panels).reshape(len(panels), -1)
