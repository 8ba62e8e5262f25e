"""Calls on the wire, made of random rows and the pairs a test names."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from remoe_functions.wire.frame import decode_call, encode_call
from remoe_functions.wire.header import unpack
from remoe_functions.wire.message import Call, WireDtype


def rows_of(count, hidden, dtype=WireDtype.FLOAT32, seed=3):
    """Random rows as the wire carries them."""
    rows = np.random.default_rng(seed).standard_normal((count, hidden), dtype=np.float32)
    if dtype is WireDtype.BFLOAT16:
        return rows.astype(ml_dtypes.bfloat16).view(np.uint16)
    return rows.astype(dtype.numpy)


def call_of(
    *,
    layer,
    row_count,
    hidden,
    pairs,
    dtype=WireDtype.FLOAT32,
    answer_dtype=None,
    call_id=1,
    deadline_seconds=20.0,
):
    """A call; `pairs` are (token row, expert, weight). Its answer is of its type unless named."""
    token_rows, experts, weights = zip(*pairs, strict=True) if pairs else ((), (), ())
    return Call(
        call_id=call_id,
        deadline_seconds=deadline_seconds,
        layer=layer,
        rows=rows_of(row_count, hidden, dtype),
        dtype=dtype,
        answer_dtype=answer_dtype or dtype,
        token_rows=np.array(token_rows, np.uint32),
        experts=np.array(experts, np.uint16),
        weights=np.array(weights, np.float32),
    )


def received(call):
    """A call as it is where it arrives."""
    data = bytearray().join(encode_call(call).buffers)
    return decode_call(unpack(data), data)
