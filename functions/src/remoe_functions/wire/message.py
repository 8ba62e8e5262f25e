"""The only vocabulary between the main model and the expert functions.

Values and their shapes. How they look as bytes is `frame`'s matter. Values of rows and weights are
never judged here: NaN and infinity pass as they are.

Call and Answer are values like any other, but not declared frozen: that makes them six times as
slow to build (2.7 against 0.4 microseconds), and a token pays it in every layer, at both ends. For
the same reason they are checked once, when they are encoded, and not again where they arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from math import isfinite

import numpy as np
import numpy.typing as npt

MAX_CALL_ID = 2**64 - 1
MAX_LAYER = 2**32 - 1


PAIR_ROW = np.dtype("<u4")
PAIR_EXPERT = np.dtype("<u2")
PAIR_WEIGHT = np.dtype("<f4")


class WireDtype(IntEnum):
    """How the numbers of rows are written; the values are those on the wire.

    A call's rows are never FLOAT64: it is for partial sums, which are exact in it.

    Attributes:
        numpy: dtype of the array that carries them (bfloat16 travels as its bits, in uint16).
    """

    numpy: np.dtype[np.generic]

    def __new__(cls, value: int, numpy: str) -> WireDtype:
        member = int.__new__(cls, value)
        member._value_ = value
        member.numpy = np.dtype(numpy)
        return member

    FLOAT32 = 1, "<f4"
    BFLOAT16 = 2, "<u2"
    FLOAT16 = 3, "<f2"
    FLOAT64 = 4, "<f8"


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
        rows: [n, hidden], of `dtype.numpy`.
        dtype: what the numbers in `rows` are.
        answer_dtype: what the numbers of the answer shall be.
        token_rows: [p] uint32; pair i sends row `token_rows[i]` ...
        experts: [p] uint16; ... to expert `experts[i]` of the layer ...
        weights: [p] float32; ... and adds `weights[i]` times its output to that row's answer.
    """

    call_id: int
    deadline_seconds: float
    layer: int
    rows: npt.NDArray[np.generic]
    dtype: WireDtype
    answer_dtype: WireDtype
    token_rows: npt.NDArray[np.uint32]
    experts: npt.NDArray[np.uint16]
    weights: npt.NDArray[np.float32]


@dataclass(slots=True, kw_only=True, eq=False)
class Answer:
    """The weighted sum of a call's pairs, one row for each row of the call.

    Attributes:
        call_id: of the call that is answered.
        rows: [n, hidden] in the call's `answer_dtype`; a row without pairs is zero.
        dtype: what the numbers in `rows` are.
        busy_seconds: how long the function computed.
    """

    call_id: int
    rows: npt.NDArray[np.generic]
    dtype: WireDtype
    busy_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The answer to a call that was not computed, or (call_id 0) to a connection not wanted."""

    call_id: int
    code: RefusalCode
    message: str


def check_call(call: Call) -> None:
    """Raises ValueError, naming the field, when one has the wrong shape, dtype or range."""
    _check_rows(call.call_id, call.rows, call.dtype)
    if call.dtype is WireDtype.FLOAT64:
        raise ValueError("dtype: a call's rows are not float64")
    if not 0 <= call.layer <= MAX_LAYER:
        raise ValueError(f"layer must be in 0..{MAX_LAYER}, got {call.layer}")
    if not isfinite(call.deadline_seconds):
        raise ValueError(f"deadline_seconds must be finite, got {call.deadline_seconds}")
    rows, experts, weights = call.token_rows, call.experts, call.weights
    if not (
        rows.dtype == PAIR_ROW
        and experts.dtype == PAIR_EXPERT
        and weights.dtype == PAIR_WEIGHT
        and rows.ndim == 1
        and rows.shape == experts.shape == weights.shape
    ):
        raise ValueError(
            "token_rows, experts and weights must be one-dimensional, of one length, and "
            f"uint32, uint16 and float32; got {_seen(rows)}, {_seen(experts)}, {_seen(weights)}"
        )


def check_answer(answer: Answer) -> None:
    """Raises ValueError, naming the field, when one has the wrong shape, dtype or range."""
    _check_rows(answer.call_id, answer.rows, answer.dtype)


def _check_rows(call_id: int, rows: npt.NDArray[np.generic], dtype: WireDtype) -> None:
    if not 0 <= call_id <= MAX_CALL_ID:
        raise ValueError(f"call_id must be in 0..{MAX_CALL_ID}, got {call_id}")
    if rows.dtype != dtype.numpy or rows.ndim != 2:
        raise ValueError(f"rows must be two-dimensional and {dtype.numpy}, got {_seen(rows)}")


def _seen(array: npt.NDArray[np.generic]) -> str:
    return f"{array.dtype} of shape {array.shape}"
