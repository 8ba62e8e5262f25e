"""Matrices whose weights lie in blocks of few bits, each block with a scale of its own.

What the bytes mean. Their values as numbers are `block_values`' matter; making them from a
checkpoint's weights, `quantized`'s; multiplying by them, the kernels'.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from remoe_functions.checkpoint.tensors import Dtype, MappedTensor

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

BLOCK = 32
"""Weights that share a scale: neighbors along the axis that a product sums over."""
PANEL = 16
"""Rows of a matrix that lie side by side in a sidecar."""


class BlockFormat(StrEnum):
    """How a block's weights are written.

    A weight is `table[code] * scale`. Q8: the code is the value, -127 to 127. Q4: four bits, by a
    table with finer steps near zero, where most weights lie. MXFP4: four bits of floating point
    (OCP Microscaling v1.0), the scale a power of two.

    Matrices of Q8 and Q4 are in panels of 16 rows; a last panel is filled up with rows of zeros.
    Block after block, a panel has its rows' scales side by side, and their codes by four bytes of
    each row in turn. Those hold weights 8n, 8n + 2, 8n + 4 and 8n + 6 in Q8, then the four between
    them; in Q4, all eight. MXFP4 lies as checkpoints have it, row after row.
    """

    Q8 = "q8"
    Q4 = "q4"
    MXFP4 = "mxfp4"

    @property
    def code_dtype(self) -> Dtype:
        """Element type of the codes; two to a byte where they have four bits, the even one low."""
        return Dtype.INT8 if self is BlockFormat.Q8 else Dtype.UINT8

    @property
    def scale_dtypes(self) -> tuple[Dtype, ...]:
        """Element types that the scales may have."""
        if self is BlockFormat.MXFP4:
            return (Dtype.UINT8, Dtype.FLOAT8_E8M0)
        return (Dtype.BFLOAT16,)

    @property
    def block_bytes(self) -> int:
        """Bytes of a block's codes."""
        return BLOCK if self is BlockFormat.Q8 else BLOCK // 2

    @property
    def table(self) -> tuple[int, ...]:
        """The value of each code of four bits, before its scale.

        Raises:
            ValueError: the format has no table, its codes are values.
        """
        if self not in _TABLES:
            raise ValueError(f"{self} has no table: its codes are values")
        return _TABLES[self]

    @property
    def panel(self) -> int:
        """Rows of a matrix that lie side by side."""
        return 1 if self is BlockFormat.MXFP4 else PANEL

    def code_shape(self, out_size: int, in_size: int) -> tuple[int, int]:
        """Shape of the codes of a matrix [out, in]; a last block is filled up with zeros."""
        return self._panels(out_size), self.panel * blocks_of(in_size) * self.block_bytes

    def scale_shape(self, out_size: int, in_size: int) -> tuple[int, int]:
        """Shape of its scales."""
        return self._panels(out_size), self.panel * blocks_of(in_size)

    def _panels(self, out_size: int) -> int:
        return -(-out_size // self.panel)


# Q4's values are those of llama.cpp's IQ4_NL; MXFP4's are doubled, so that they are whole numbers.
_TABLES: Mapping[BlockFormat, tuple[int, ...]] = {
    BlockFormat.Q4: (
        *(-127, -104, -83, -65, -49, -35, -22, -10),
        *(1, 13, 25, 38, 53, 69, 89, 113),
    ),
    BlockFormat.MXFP4: (0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12),
}
E8M0_BIAS = 128
"""What MXFP4's exponents are too large by: 127, and one because the table's values are doubled."""


def blocks_of(in_size: int) -> int:
    """Blocks in a row of so many weights."""
    return -(-in_size // BLOCK)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockTensor:
    """A matrix [out, in] in blocks along `in`, where it lies in the mapped file.

    Attributes:
        format: how its weights are written.
        codes: int8 or uint8, `BlockFormat.code_shape`.
        scales: `BlockFormat.scale_shape`: bfloat16, as uint16, or MXFP4's exponents, as uint8.
        out_size: rows, without what fills up the last panel.
        in_size: weights in a row, without what fills up the last block.
    """

    format: BlockFormat
    codes: Array
    scales: Array
    out_size: int
    in_size: int

    @property
    def shape(self) -> tuple[int, ...]:
        """(out, in)."""
        return self.out_size, self.in_size

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.scales.nbytes


Matrix: TypeAlias = MappedTensor | BlockTensor
"""A matrix of an expert: weights as they are, or in blocks."""
