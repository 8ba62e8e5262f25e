from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from remoe_functions.wire.errors import CallRefused
from remoe_functions.wire.frame import (
    decode_answer,
    decode_call,
    decode_refusal,
    encode_answer,
    encode_call,
    encode_refusal,
)
from remoe_functions.wire.header import unpack
from remoe_functions.wire.message import Answer, Call, Refusal, RefusalCode, WireDtype

OF_CALLS = [dtype for dtype in WireDtype if dtype is not WireDtype.FLOAT64]
BITS = {2: np.uint16, 4: np.uint32, 8: np.uint64}
SECONDS = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def rows_of(draw, dtype):
    shape = draw(st.tuples(st.integers(0, 5), st.integers(0, 9)))
    bits = draw(arrays(BITS[dtype.numpy.itemsize], shape))  # NaN and infinity as well
    return bits.view(dtype.numpy)


@st.composite
def calls(draw):
    dtype = draw(st.sampled_from(OF_CALLS))
    rows = draw(rows_of(dtype))
    pairs = draw(st.integers(0, 90)) if len(rows) else 0
    return Call(
        call_id=draw(st.integers(0, 2**64 - 1)),
        deadline_seconds=draw(SECONDS),
        layer=draw(st.integers(0, 2**32 - 1)),
        rows=rows,
        dtype=dtype,
        answer_dtype=draw(st.sampled_from(WireDtype)),
        token_rows=draw(arrays(np.uint32, pairs, elements=st.integers(0, max(0, len(rows) - 1)))),
        experts=draw(arrays(np.uint16, pairs)),
        weights=draw(arrays(np.uint32, pairs)).view(np.float32),
    )


@st.composite
def answers(draw):
    dtype = draw(st.sampled_from(WireDtype))
    return Answer(
        call_id=draw(st.integers(0, 2**64 - 1)),
        rows=draw(rows_of(dtype)),
        dtype=dtype,
        busy_seconds=draw(SECONDS),
    )


def received(frame):
    data = b"".join(bytes(buffer) for buffer in frame.buffers)
    assert len(data) == frame.nbytes
    return unpack(data), bytearray(data)


def same_bits(one, other):
    return (
        one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    )


@given(calls())
def test_a_decoded_call_is_the_encoded_one(call):
    decoded = decode_call(*received(encode_call(call)))
    for name in ("call_id", "deadline_seconds", "layer", "dtype", "answer_dtype"):
        assert getattr(decoded, name) == getattr(call, name)
    for name in ("rows", "token_rows", "experts", "weights"):
        assert same_bits(getattr(decoded, name), getattr(call, name))


@given(answers())
def test_a_decoded_answer_is_the_encoded_one(answer):
    decoded = decode_answer(*received(encode_answer(answer)))
    assert (decoded.call_id, decoded.busy_seconds) == (answer.call_id, answer.busy_seconds)
    assert decoded.dtype == answer.dtype
    assert same_bits(decoded.rows, answer.rows)


@given(st.integers(0, 2**64 - 1), st.sampled_from(RefusalCode), st.text(max_size=1_000))
def test_a_decoded_refusal_is_the_encoded_one(call_id, code, message):
    refusal = Refusal(call_id=call_id, code=code, message=message)
    assert decode_refusal(*received(encode_refusal(refusal))) == refusal


@given(calls(), st.integers(0, 2_000))
def test_what_is_left_after_a_part_was_sent_is_the_rest(call, sent):
    frame = encode_call(call)
    whole = b"".join(bytes(buffer) for buffer in frame.buffers)
    assert b"".join(frame.after(sent)) == whole[sent:]


def test_rows_that_are_not_contiguous_arrive_as_they_look(world):
    world.serve()
    connection = world.connect()
    call = world.call(rows=6, hidden=10)
    call.rows = call.rows[::2, ::2]
    call.token_rows[:] = 0
    connection.send(call)
    assert (connection.receive(1, timeout_seconds=5).rows == call.rows).all()


def test_a_call_never_carries_rows_of_float64(world):
    world.serve()
    call = world.call()
    call.rows, call.dtype = call.rows.astype(np.float64), WireDtype.FLOAT64
    with pytest.raises(ValueError, match="dtype: a call's rows are not float64"):
        world.connect().send(call)


@pytest.mark.parametrize("dtype", WireDtype)
def test_an_answer_comes_in_the_type_that_the_call_names(world, dtype):
    world.serve(
        lambda call: Answer(
            call_id=call.call_id,
            rows=np.full(call.rows.shape, 3, dtype.numpy),
            dtype=dtype,
            busy_seconds=0.0,
        )
    )
    connection = world.connect()
    for call_id, wanted in enumerate(WireDtype):
        call = world.call(call_id)
        call.answer_dtype = wanted
        connection.send(call)
        if wanted is dtype:
            answer = connection.receive(call_id, timeout_seconds=5)
            assert (answer.dtype, answer.rows.tolist()) == (dtype, [[3] * 8] * 2)
        else:
            with pytest.raises(CallRefused, match=f"answered {dtype.name} rows"):
                connection.receive(call_id, timeout_seconds=5)


def test_an_answer_over_tcp_carries_rows_and_busy_time(world):
    world.serve()
    connection = world.connect()
    call = world.call(rows=512, hidden=2_048)
    connection.send(call)
    answer = connection.receive(1, timeout_seconds=5)
    assert (answer.rows == call.rows).all()
    assert answer.busy_seconds == 0.25


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("rows", np.zeros((1, 2), np.float64), "rows must be two-dimensional and uint16"),
        ("dtype", WireDtype.FLOAT64, "rows must be two-dimensional and float64, got uint16"),
        ("token_rows", np.zeros(2, np.int64), "uint32, uint16 and float32; got int64"),
        ("weights", np.zeros(9, np.float32), "of one length"),
        ("deadline_seconds", float("nan"), "deadline_seconds must be finite, got nan"),
        ("call_id", -1, "call_id must be in 0.."),
        ("layer", 2**32, "layer must be in 0.."),
    ],
)
def test_a_call_with_a_bad_field_never_leaves(world, field, value, complaint):
    world.serve()
    connection = world.connect()
    good = world.call()
    fields = {name: getattr(good, name) for name in Call.__slots__}
    with pytest.raises(ValueError, match=complaint):
        connection.send(Call(**fields | {field: value}))
    assert connection.in_flight == 0
