"""The only vocabulary between the main model and the expert functions.

Values and their shapes. How they look as bytes is `frame`'s matter. Values of rows and weights are
never judged here: NaN and infinity pass as they are.

Call and Answer are values like any other, but not declared frozen: that makes them six times as
slow to build (2.7 against 0.4 microseconds), and a token pays it in every layer, at both ends. For
the same reason they are checked once, when they are encoded, and not again where they arrive.

Whoever sends gives arrays, numpy's or any others that lend their memory; numpy is imported by
whoever looks at what came as numbers (`received`), which an expert function's start does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[Any] | memoryview[int] | memoryview[float]
    """Elements in memory that is lent: numpy's arrays, memoryviews."""

MAX_CALL_ID = 2**64 - 1
MAX_LAYER = 2**32 - 1
# As memoryviews tell them.
PAIR_ROW: Final = "I"
PAIR_EXPERT: Final = "H"
PAIR_WEIGHT: Final = "f"


class WireDtype(IntEnum):
    """How the numbers of rows are written; the values are those on the wire.

    A call's rows are never FLOAT64: it is for partial sums, which are exact in it.

    Attributes:
        format: of the array that carries them, as memoryviews tell it (bfloat16 travels as its
            bits, in uint16).
        itemsize: bytes of a number.
    """

    format: str
    itemsize: int

    def __new__(cls, value: int, code: str, itemsize: int) -> WireDtype:
        member = int.__new__(cls, value)
        member._value_ = value
        member.format, member.itemsize = code, itemsize
        return member

    FLOAT32 = 1, "f", 4
    BFLOAT16 = 2, "H", 2
    FLOAT16 = 3, "e", 2
    FLOAT64 = 4, "d", 8

    @property
    def numpy(self) -> np.dtype[Any]:
        """The same for numpy."""
        import numpy as np

        return np.dtype(self.format)


class RefusalCode(IntEnum):
    """Why a call (or a connection) was refused; the values are those on the wire."""

    BAD_REQUEST = 1
    UNKNOWN_EXPERT = 2
    BUSY = 3
    EXPIRED = 4
    DRAINING = 5
    UNAUTHORIZED = 6
    WRONG_VERSION = 7
    TOO_LARGE = 8
    INTERNAL = 9


OnRefusal = Callable[[RefusalCode], None]
"""Told of each refusal that is about to be sent."""


@dataclass(slots=True, kw_only=True, eq=False)
class Call:
    """Rows of one layer, and which expert gets which of them with which weight.

    Attributes:
        call_id: chosen by the caller, unique among the calls in flight on its connection.
        deadline_seconds: the budget left when the call is sent; at or below zero it has expired.
        layer: index of the layer in the model.
        rows: [n, hidden], of `dtype.format`.
        dtype: what the numbers in `rows` are.
        answer_dtype: what the numbers of the answer shall be.
        token_rows: [p] uint32; pair i sends row `token_rows[i]` ...
        experts: [p] uint16; ... to expert `experts[i]` of the layer ...
        weights: [p] float32; ... and adds `weights[i]` times its output to that row's answer.
    """

    call_id: int
    deadline_seconds: float
    layer: int
    rows: Array
    dtype: WireDtype
    answer_dtype: WireDtype
    token_rows: Array
    experts: Array
    weights: Array


@dataclass(slots=True, kw_only=True, eq=False)
class Answer:
    """The weighted sum of a call's pairs, one row for each row of the call.

    Attributes:
        call_id: of the call that is answered.
        rows: [n, hidden] in the call's `answer_dtype`, or the bytes of such; a row without pairs is
            zero.
        dtype: what the numbers in `rows` are.
        busy_seconds: how long the function computed.
        bytes_shape: (n, hidden) where `rows` are bytes.
    """

    call_id: int
    rows: Array | bytearray
    dtype: WireDtype
    busy_seconds: float
    bytes_shape: tuple[int, int] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, hidden)."""
        return self.bytes_shape or shape_of(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The answer to a call that was not computed, or (call_id 0) to a connection not wanted."""

    call_id: int
    code: RefusalCode
    message: str


def view_of(array: Array | bytearray) -> memoryview:
    """An array's memory, with its shape and format."""
    # numpy's arrays lend theirs, which its types do not say.
    return memoryview(array)  # type: ignore[arg-type]


def shape_of(array: Array | bytearray) -> tuple[int, ...]:
    """An array's shape."""
    return view_of(array).shape or ()


def check_call(call: Call) -> None:
    """Raises ValueError, naming the field, when one has the wrong shape, dtype or range."""
    _check_id(call.call_id)
    _check_rows(call.rows, call.dtype)
    if call.dtype is WireDtype.FLOAT64:
        raise ValueError("dtype: a call's rows are not float64")
    if not 0 <= call.layer <= MAX_LAYER:
        raise ValueError(f"layer must be in 0..{MAX_LAYER}, got {call.layer}")
    if not math.isfinite(call.deadline_seconds):
        raise ValueError(f"deadline_seconds must be finite, got {call.deadline_seconds}")
    rows, experts = view_of(call.token_rows), view_of(call.experts)
    weights = view_of(call.weights)
    if not (
        rows.format == PAIR_ROW
        and experts.format == PAIR_EXPERT
        and weights.format == PAIR_WEIGHT
        and rows.ndim == 1
        and rows.shape == experts.shape == weights.shape
    ):
        seen = ", ".join(map(_seen, (call.token_rows, call.experts, call.weights)))
        raise ValueError(
            "token_rows, experts and weights must be one-dimensional, of one length, and "
            f"uint32, uint16 and float32; got {seen}"
        )


def check_answer(answer: Answer) -> None:
    """Raises ValueError, naming the field, when one has the wrong shape, dtype or range."""
    _check_id(answer.call_id)
    if answer.bytes_shape is None:
        _check_rows(answer.rows, answer.dtype)
    elif len(answer.rows) != math.prod(answer.bytes_shape) * answer.dtype.itemsize:
        raise ValueError(
            f"rows must be the bytes of {answer.dtype.name} of shape {answer.bytes_shape}, "
            f"got {len(answer.rows)} bytes"
        )


def _check_id(call_id: int) -> None:
    if not 0 <= call_id <= MAX_CALL_ID:
        raise ValueError(f"call_id must be in 0..{MAX_CALL_ID}, got {call_id}")


def _check_rows(rows: Array | bytearray, dtype: WireDtype) -> None:
    view = view_of(rows)
    if view.format != dtype.format or view.ndim != 2:
        raise ValueError(f"rows must be two-dimensional and {dtype.numpy}, got {_seen(rows)}")


def _seen(array: Array | bytearray) -> str:
    view = view_of(array)
    return f"{getattr(array, 'dtype', view.format)} of shape {view.shape}"
