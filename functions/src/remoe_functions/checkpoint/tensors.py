"""A tensor lying in a mapped file, and the element types it may have. It owns no memory.

numpy is imported when the first tensor is looked at as an array: native code is told where bytes
lie, and an expert function that computes with it starts without numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


class Dtype(StrEnum):
    """Element types, by their safetensors names."""

    BOOL = "BOOL"
    UINT8 = "U8"
    INT8 = "I8"
    FLOAT8_E4M3 = "F8_E4M3"
    FLOAT8_E5M2 = "F8_E5M2"
    FLOAT8_E8M0 = "F8_E8M0"
    UINT16 = "U16"
    INT16 = "I16"
    FLOAT16 = "F16"
    BFLOAT16 = "BF16"
    UINT32 = "U32"
    INT32 = "I32"
    FLOAT32 = "F32"
    UINT64 = "U64"
    INT64 = "I64"
    FLOAT64 = "F64"

    @property
    def storage(self) -> np.dtype[Any]:
        """The numpy type its bytes are seen as; what numpy lacks is seen as unsigned integers."""
        import numpy as np

        return np.dtype(_STORAGE[self])

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return int(_STORAGE[self][-1])


_STORAGE: dict[Dtype, str] = {
    Dtype.BOOL: "b1",
    Dtype.UINT8: "u1",
    Dtype.INT8: "i1",
    Dtype.FLOAT8_E4M3: "u1",
    Dtype.FLOAT8_E5M2: "u1",
    Dtype.FLOAT8_E8M0: "u1",
    Dtype.UINT16: "<u2",
    Dtype.INT16: "<i2",
    Dtype.FLOAT16: "<f2",
    Dtype.BFLOAT16: "<u2",
    Dtype.UINT32: "<u4",
    Dtype.INT32: "<i4",
    Dtype.FLOAT32: "<f4",
    Dtype.UINT64: "<u8",
    Dtype.INT64: "<i8",
    Dtype.FLOAT64: "<f8",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MappedTensor:
    """A tensor's elements, where they lie in the mapped file.

    Attributes:
        memory: their bytes; read-only where they lie in a mapping.
        dtype: what the elements are.
        shape: of the tensor.
    """

    memory: memoryview
    dtype: Dtype
    shape: tuple[int, ...]

    @classmethod
    def of(cls, array: np.ndarray[Any, np.dtype[Any]], dtype: Dtype) -> MappedTensor:
        """An array, of `dtype.storage`, as a tensor on the same bytes.

        Raises:
            ValueError: its elements do not lie side by side.
        """
        if not array.flags.c_contiguous:
            raise ValueError(f"array must be contiguous, got strides {array.strides}")
        memory = array.data.cast("B") if array.size else memoryview(b"")
        return cls(memory=memory, dtype=dtype, shape=array.shape)

    @property
    def array(self) -> np.ndarray[Any, np.dtype[Any]]:
        """A view on the memory, of `dtype.storage` (bfloat16 as uint16)."""
        import numpy as np

        # By `frombuffer`, which keeps the memory lent: `ndarray` would hold what is below a view of
        # it, and a mapping could be closed under the array.
        return np.frombuffer(self.memory, self.dtype.storage).reshape(self.shape)

    @property
    def nbytes(self) -> int:
        return self.memory.nbytes

    def part(self, index: int) -> MappedTensor:
        """The `index`-th entry of the first axis, on the same bytes."""
        size = self.nbytes // self.shape[0]
        return MappedTensor(
            memory=self.memory[index * size : (index + 1) * size],
            dtype=self.dtype,
            shape=self.shape[1:],
        )
