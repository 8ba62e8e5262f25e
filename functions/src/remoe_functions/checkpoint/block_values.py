"""What matrices in blocks are worth in float32: what every kernel is held against.

For kernels without a native library too; nothing here is fast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remoe_functions.checkpoint.blocks import BLOCK, E8M0_BIAS, BlockFormat, BlockTensor


def values_of(matrix: BlockTensor) -> NDArray[np.float32]:
    """The weights [out, in] in float32: the product of two short numbers, so nothing is rounded."""
    codes = _code_values(matrix).reshape(len(matrix.codes), -1, BLOCK)
    with np.errstate(over="ignore", invalid="ignore"):
        values = codes * scale_values(matrix)[:, :, None]
    return values.reshape(len(codes), -1)[:, : matrix.in_size]


def scale_values(matrix: BlockTensor) -> NDArray[np.float32]:
    """The scales [out, blocks] in float32."""
    if matrix.format is BlockFormat.MXFP4:
        return np.ldexp(np.float32(1), matrix.scales.astype(np.int32) - E8M0_BIAS)
    scales: NDArray[np.float32] = (matrix.scales.astype(np.uint32) << 16).view(np.float32)
    return scales


def _code_values(matrix: BlockTensor) -> NDArray[np.float32]:
    if matrix.format is BlockFormat.Q8:
        return matrix.codes.astype(np.float32)
    pairs = np.stack([matrix.codes & 0x0F, matrix.codes >> 4], axis=-1)
    return np.array(matrix.format.table, np.float32)[pairs]
