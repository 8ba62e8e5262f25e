"""A layer in one native call: every row's weighted sum over its experts, in threads.

The same input gives the same bits for any number of threads, and a row's answer does not depend on
the rows beside it. Each expert's share is rounded to float32 and added in float64, where few such
shares have an exact sum: a row's experts may be split over calls, and the answers added up. The
global interpreter lock is released meanwhile; calls with several threads share one pool and take
turns, calls with one thread run beside each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from remoe_functions.checkpoint.address import address_of, address_of_own
from remoe_functions.kernel.layout import CALL
from remoe_functions.kernel.library import library
from remoe_functions.kernel.machine import InstructionSet, available
from remoe_functions.kernel.native_expert import ExpertTable, NativeExpert

MOST_THREADS = 256
_UINT16, _UINT32 = np.dtype(np.uint16), np.dtype(np.uint32)
_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
Array = np.ndarray[Any, np.dtype[Any]]


class Precision(StrEnum):
    """What products are made of; their sums are float32 in both.

    EXACT: float32 rows, weights widened. FAST: rows, and what goes into the down projection, are
    rounded to bfloat16, as torch's bfloat16 does; denormal numbers count as zero. Weights in blocks
    meet rows rounded block by block, too: to whole numbers of 16 bits (EXACT) or 8 (FAST). Else
    FAST is EXACT where weights are not bfloat16 in [out, in], or the instruction set has no such
    products.
    """

    EXACT = "exact"
    FAST = "fast"


def forward(
    experts: Sequence[NativeExpert],
    rows: npt.NDArray[np.float32] | npt.NDArray[np.uint16],
    token_rows: npt.NDArray[np.uint32],
    which: npt.NDArray[np.uint16],
    weights: npt.NDArray[np.float32],
    *,
    out: npt.NDArray[np.float64] | None = None,
    threads: int = 1,
    precision: Precision = Precision.EXACT,
    instructions: InstructionSet | None = None,
) -> npt.NDArray[np.float64]:
    """Each row's sum of `weight * expert(row)` over its pairs; zero where it has none.

    Args:
        experts: of one hidden size; an `ExpertTable` where calls are many.
        rows: [n, hidden], float32, or bfloat16's bits as uint16.
        token_rows: [pairs], the row of each pair, below n.
        which: [pairs], the expert of each pair, an index into `experts`.
        weights: [pairs], what its expert's answer is multiplied by.
        out: [n, hidden] to write into; a new array where None. Must not overlap the input.
        threads: 1 to 256, the caller's among them.
        precision: of the products.
        instructions: the code path; the best of this machine where None.

    Returns:
        [n, hidden], float64: the sum of the pairs' float32 shares, in the order of `experts`, then
        of the pairs.

    Raises:
        ValueError: an argument's shape, type, layout or content does not fit; names it.
        NativeKernelUnavailableError: there is no native library.
        MemoryError: no memory for what lies between the projections.
    """
    table = experts if isinstance(experts, ExpertTable) else ExpertTable(experts)
    best = instructions or available()[0]
    count, hidden = _checked_rows(rows, table.hidden_size)
    _check_pairs(token_rows, which, weights)
    out = np.empty((count, hidden), np.float64) if out is None else _checked_out(out, rows.shape)
    if not 1 <= threads <= MOST_THREADS:
        raise ValueError(f"threads must be 1 to {MOST_THREADS}, got {threads}")
    call = CALL.pack(
        table.address,
        _address_of(rows),
        _address_of(token_rows),
        _address_of(which),
        _address_of(weights),
        _address_of(out),
        count,
        len(token_rows),
        len(table),
        hidden,
        rows.dtype == _UINT16,
        threads,
        best.number,
        precision is Precision.FAST,
    )
    if error := library().remoe_forward(call):
        _raise(error, table, rows, token_rows, which, best)
    return out


def _checked_rows(rows: Array, hidden: int) -> tuple[int, int]:
    if rows.dtype != _FLOAT32 and rows.dtype != _UINT16:
        raise ValueError(f"rows must be float32 or uint16 (bfloat16), got {rows.dtype}")
    if rows.ndim != 2 or rows.shape[1] != hidden:
        raise ValueError(f"rows must be [n, {hidden}], got {list(rows.shape)}")
    if not rows.flags.c_contiguous:
        raise ValueError(f"rows must be contiguous, got strides {rows.strides}")
    return rows.shape[0], rows.shape[1]


def _check_pairs(token_rows: Array, which: Array, weights: Array) -> None:
    pairs = len(token_rows)
    _check_column("token_rows", token_rows, _UINT32, pairs)
    _check_column("which", which, _UINT16, pairs)
    _check_column("weights", weights, _FLOAT32, pairs)


def _check_column(name: str, array: Array, dtype: np.dtype[Any], count: int) -> None:
    if array.dtype != dtype:
        raise ValueError(f"{name} must be {dtype}, got {array.dtype}")
    if array.shape != (count,):
        raise ValueError(f"{name} must be [{count}], as token_rows, got {list(array.shape)}")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} must be contiguous, got strides {array.strides}")


def _checked_out(out: npt.NDArray[np.float64], shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    if out.dtype != _FLOAT64 or out.shape != shape:
        raise ValueError(f"out must be float64 {list(shape)}, got {out.dtype} {list(out.shape)}")
    if not (out.flags.c_contiguous and out.flags.writeable and out.flags.aligned):
        raise ValueError("out must be contiguous, aligned and writeable")
    return out


def _address_of(array: Array) -> int:
    # Most arrays of a call are ours to write, and five addresses are asked for in each.
    if array.flags.writeable and array.nbytes:
        return address_of_own(array.data)
    return address_of(array)


def _raise(
    error: int, table: ExpertTable, rows: Array, token_rows: Array, which: Array, best: str
) -> None:
    """Native code checks the indices before it reads anything by them; this says which was bad."""
    if error == 1:
        raise ValueError(f"token_rows must be below {len(rows)}, got {token_rows.max()}")
    if error == 2:
        raise ValueError(f"which must be below {len(table)}, got {which.max()}")
    if error == 3:
        raise MemoryError("no memory for a layer's middle")
    allowed = ", ".join(available())
    raise ValueError(f"instructions must be one of {allowed} on this machine, got {best}")
