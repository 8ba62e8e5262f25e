"""What of a layer's answer is added where, such that its bits do not depend on who added what.

A row's answer is the sum of its shares: one for each of its experts, weight times output, rounded
to float32. Everybody adds shares in float64. There a sum of float32 numbers has no rounding at all
unless one of them is 2**26 times smaller than another, so that the order, and with it the
placement of experts, does not matter; the whole sum is then rounded once, to float32 and on to the
model's type. What travels must lose nothing either: that is decided here. Which experts are where
is the placement's matter, who is called the dispatcher's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from remoe_functions.main.spread import Rows
from remoe_functions.main.tensors import from_rows
from remoe_functions.wire.message import WireDtype

Sums = NDArray[np.float64]


def are_whole(pairs: int, rows: int, top_k: int) -> bool:
    """Whether so many pairs are all that so many rows have."""
    return pairs == top_k * rows


def answer_dtype(pairs: int, rows: int, top_k: int, dtype: WireDtype) -> WireDtype:
    """The narrowest type in which the answer to a call comes back whole.

    Args:
        pairs: of the call.
        rows: of the call; each has at least one of the pairs.
        top_k: pairs that each row has, here and elsewhere.
        dtype: what the model's numbers are.

    Returns:
        `dtype` where the answer is the rows' final one. FLOAT32 where each row's is a single share,
        or (of two picks) final. Else FLOAT64.
    """
    if are_whole(pairs, rows, top_k):
        return dtype
    if pairs == rows or top_k == 2:
        return WireDtype.FLOAT32
    return WireDtype.FLOAT64


def add_answer(total: Sums, places: Rows, answer: NDArray[Any], *, whole: bool) -> None:
    """Add an answer's rows to those of `total` at distinct places.

    Args:
        total: [n, hidden], what was added so far.
        places: [m], where the answer's rows belong.
        answer: [m, hidden], as the wire carries it.
        whole: whether nothing else is added at these places: a negative zero then stays one.
    """
    values = from_rows(answer).float().numpy() if answer.dtype == np.uint16 else answer
    at = slice(None) if len(places) == len(total) else places
    if whole:
        total[at] = values
    else:
        total[at] += values
