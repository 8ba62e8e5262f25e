"""Between float32 and float64, in which sums are made, and the types of checkpoints and wire.

bfloat16 is what numpy lacks; `ml_dtypes` brings it, and its cast is the fastest of the ways tried
(a strided copy into the high halves, a shift, pairs of halves). It is imported when first needed,
which a start is not held up by. bfloat16 arrays are uint16 here.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from remoe_functions.checkpoint.tensors import Dtype
from remoe_functions.wire.message import WireDtype

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


@cache
def bfloat16() -> np.dtype[Any]:
    """What numpy knows bfloat16 by."""
    import ml_dtypes

    found: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return found


def seen(array: npt.NDArray[Any], dtype: Dtype | WireDtype) -> npt.NDArray[Any]:
    """The same bytes, in a type that casts to float32 by value."""
    is_bfloat16 = dtype in (Dtype.BFLOAT16, WireDtype.BFLOAT16)
    return array.view(bfloat16()) if is_bfloat16 else array


def widened(array: npt.NDArray[Any], dtype: Dtype | WireDtype) -> Float32:
    """As float32: a copy, or the array itself where it is float32 already."""
    return seen(array, dtype).astype(np.float32, copy=False)


def narrowed(rows: Float64, dtype: WireDtype) -> npt.NDArray[Any]:
    """Rounded (to nearest, ties to even) to float32, and from there to what the wire carries."""
    if dtype is WireDtype.FLOAT64:
        return rows
    with np.errstate(over="ignore"):
        single = rows.astype(np.float32)
        if dtype is WireDtype.BFLOAT16:
            return single.astype(bfloat16()).view(np.uint16)
        return single.astype(dtype.numpy, copy=False)
