"""Rows times a mapped matrix, without ever holding the matrix in float32.

Weights stay in the checkpoint's type, where they lie; blocks of them are widened into one small
scratch and multiplied there by BLAS. Several rows are multiplied tile by tile, each product small
enough for OpenBLAS's kernel for small matrices: measured on one core with AVX-512, 80 to 100
GFLOP/s where its general path gives 7 (2 rows), 40 (16 rows), 75 (64 rows) and 98 (512 rows).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from remoe_functions.checkpoint.block_values import values_of
from remoe_functions.checkpoint.blocks import BlockTensor, Matrix
from remoe_functions.expert.precision import Float32, seen

SCRATCH_FLOATS = 1 << 20  # 4 MiB
# OpenBLAS's bounds for its small kernel: multiplications, and elements of the result.
SMALL_PRODUCT = 1_000_000
SMALL_RESULT = 1_200
SMALL_ROWS = range(2, 17)
TILED_ROWS = range(2, 97)  # beyond, the general path is as fast or faster


class Projector:
    """Multiplies by mapped matrices; owns one scratch, so one thread uses it at a time."""

    def __init__(self) -> None:
        self._scratch: Float32 = np.empty(0, np.float32)

    def project(self, rows: Float32, matrix: Matrix, *, transposed: bool) -> Float32:
        """`rows @ matrix.T`, or `rows @ matrix` where the matrix is [in, out].

        Args:
            rows: [n, in].
            matrix: [out, in], or [in, out] where transposed; float32, float16 or bfloat16, or in
                blocks.
            transposed: which of the two.

        Returns:
            [n, out].
        """
        if transposed:
            return self._accumulate(rows, matrix)
        result = np.empty((len(rows), matrix.shape[0]), np.float32)
        for block, floats in self._blocks(matrix, SCRATCH_FLOATS):
            multiply(rows, floats, result[:, block])
        return result

    def _accumulate(self, rows: Float32, matrix: Matrix) -> Float32:
        result = np.zeros((len(rows), matrix.shape[1]), np.float32)
        few = len(rows) in SMALL_ROWS
        limit = min(SCRATCH_FLOATS, SMALL_PRODUCT // len(rows)) if few else SCRATCH_FLOATS
        for block, floats in self._blocks(matrix, limit):
            result += rows[:, block] @ floats
        return result

    def _blocks(self, matrix: Matrix, limit: int) -> Iterator[tuple[slice, Float32]]:
        """The matrix as float32, at most `limit` elements at a time; a block lasts until the next.

        One row of the matrix is the least, however long.
        """
        height, width = matrix.shape
        step = max(1, limit // width)
        for begin in range(0, height, step):
            block = slice(begin, min(begin + step, height))
            yield block, self._float32(matrix, block)

    def _float32(self, matrix: Matrix, rows: slice) -> Float32:
        if isinstance(matrix, BlockTensor):
            return values_of(matrix, rows.start, rows.stop)
        block = seen(matrix.array, matrix.dtype)[rows]
        if block.dtype == np.float32:
            return block.view(np.float32)
        if self._scratch.size < block.size:
            self._scratch = np.empty(max(block.size, SCRATCH_FLOATS), np.float32)
        room = self._scratch[: block.size].reshape(block.shape)
        np.copyto(room, block, casting="unsafe")
        return room


def multiply(rows: Float32, block: Float32, out: Float32) -> None:
    """`out[:] = rows @ block.T`, tile by tile where that is faster."""
    count, width = rows.shape
    if count not in TILED_ROWS:
        np.matmul(rows, block.T, out=out)
        return
    tall, wide = tile(count, width)
    for top in range(0, count, tall):
        some = rows[top : top + tall]
        for left in range(0, len(block), wide):
            part = block[left : left + wide]
            np.matmul(some, part.T, out=out[top : top + tall, left : left + wide])


def tile(count: int, width: int) -> tuple[int, int]:
    """(token rows, matrix rows) of a product small enough, as near to square as it may be."""
    elements = max(1, min(SMALL_RESULT, SMALL_PRODUCT // width))
    tall = min(count, max(1, math.isqrt(elements) // 4 * 4))
    return tall, max(1, elements // tall)
