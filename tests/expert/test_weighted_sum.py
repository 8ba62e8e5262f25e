"""A call's answer is each row's sum of weight times expert over its pairs."""

from __future__ import annotations

import numpy as np
import pytest
from builders.expert_weights import NUMPY, computed_plainly, expert, form
from builders.wire_calls import call_of, received
from hypothesis import given, settings
from hypothesis import strategies as st

from remoe_functions.checkpoint.tensors import Dtype
from remoe_functions.expert.kernel import NumpyKernel
from remoe_functions.expert.meter import Meter
from remoe_functions.expert.native import NativeKernel
from remoe_functions.expert.service import ExpertService
from remoe_functions.kernel.machine import available, native_available
from remoe_functions.wire.errors import CallRefused
from remoe_functions.wire.message import RefusalCode, WireDtype

HIDDEN = 12
EXPERTS = {index: expert(form(), hidden=HIDDEN, seed=index) for index in (0, 3, 5)}
TOLERANCE = {WireDtype.FLOAT32: 1e-5, WireDtype.FLOAT16: 4e-3, WireDtype.BFLOAT16: 3e-2}
WIDE = {WireDtype.BFLOAT16: NUMPY[Dtype.BFLOAT16]}


KERNELS = [NumpyKernel()]
if native_available().available:
    KERNELS += [NativeKernel(instructions, threads=1) for instructions in available()]
every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)


class CountingKernel(NumpyKernel):
    """The real kernel; remembers how many rows each visit brought."""

    def __init__(self):
        super().__init__()
        self.visits = []

    def forward(self, weights, rows):
        self.visits.append(len(rows))
        return super().forward(weights, rows)


def service(kernel=None, meter=None, experts=None):
    return ExpertService(
        {7: experts or EXPERTS},
        kernel or NumpyKernel(),
        meter or Meter(1 << 30),
        hidden_size=HIDDEN,
    )


def expected(rows, pairs):
    total = np.zeros(rows.shape)
    for row, index, weight in pairs:
        total[row] += weight * computed_plainly(EXPERTS[index], rows[row : row + 1])[0]
    return total


@st.composite
def calls(draw):
    count = draw(st.integers(1, 9))
    places = st.tuples(st.integers(0, count - 1), st.sampled_from(sorted(EXPERTS)))
    pairs = draw(st.lists(places, unique=True, max_size=20))
    weights = draw(st.lists(st.floats(-2, 2, width=32), min_size=len(pairs), max_size=len(pairs)))
    return count, [(*pair, weight) for pair, weight in zip(pairs, weights, strict=True)]


@every_kernel
@settings(max_examples=60, deadline=None)
@given(
    drawn=calls(),
    dtype=st.sampled_from(list(TOLERANCE)),
    answer_dtype=st.sampled_from(list(WireDtype)),
)
def test_answer_is_the_weighted_sum_in_the_type_that_is_asked_for(
    kernel, drawn, dtype, answer_dtype
):
    count, pairs = drawn
    call = call_of(
        layer=7,
        row_count=count,
        hidden=HIDDEN,
        pairs=pairs,
        dtype=dtype,
        answer_dtype=answer_dtype,
    )
    answer = service(kernel).answer(received(call))
    rows = call.rows.view(WIDE.get(dtype, call.rows.dtype)).astype(np.float32)
    # Natively rows of bfloat16 are multiplied in it.
    tolerance = max(TOLERANCE.get(answer_dtype, 1e-5), TOLERANCE[dtype])
    seen = WIDE.get(answer_dtype, answer_dtype.numpy)
    assert (answer.call_id, answer.dtype) == (call.call_id, answer_dtype)
    np.testing.assert_allclose(
        np.frombuffer(answer.rows, seen).reshape(answer.shape).astype(np.float64),
        expected(rows, pairs),
        rtol=tolerance,
        atol=tolerance,
    )


def test_each_expert_is_visited_once_with_all_its_rows():
    kernel = CountingKernel()
    pairs = [(0, 5, 1.0), (1, 0, 1.0), (2, 5, 1.0), (3, 5, 1.0), (0, 0, 1.0)]
    call = call_of(layer=7, row_count=4, hidden=HIDDEN, pairs=pairs)
    service(kernel).answer(received(call))
    assert kernel.visits == [2, 3]


@every_kernel
def test_rows_without_a_pair_are_zero(kernel):
    call = call_of(layer=7, row_count=3, hidden=HIDDEN, pairs=[(1, 3, 0.5)])
    answer = service(kernel).answer(received(call))
    rows = np.frombuffer(answer.rows, np.float32).reshape(3, HIDDEN)
    assert not rows[[0, 2]].any()
    assert rows[1].any()


@every_kernel
def test_call_without_pairs_is_all_zero(kernel):
    call = call_of(layer=7, row_count=2, hidden=HIDDEN, pairs=[])
    answer = service(kernel).answer(received(call))
    assert answer.shape == (2, HIDDEN)
    assert not np.frombuffer(answer.rows, np.float32).any()


REFUSED = [
    ({"layer": 6}, RefusalCode.UNKNOWN_EXPERT, "layer 6 is not served here; served are layers 7"),
    ({"pairs": [(0, 4, 1.0)]}, RefusalCode.UNKNOWN_EXPERT, "expert 7/4 is not served here"),
    ({"hidden": 13}, RefusalCode.BAD_REQUEST, "rows must be 12 wide, got 13"),
    ({"pairs": [(2, 3, 1.0)]}, RefusalCode.BAD_REQUEST, "token_rows must be below 2, got 2"),
    (
        {"pairs": [(0, 3, 1.0), (1, 3, 1.0), (0, 3, 0.5)]},
        RefusalCode.BAD_REQUEST,
        "a row goes to the same expert twice",
    ),
]


@every_kernel
@pytest.mark.parametrize(("fields", "code", "message"), REFUSED)
def test_call_that_cannot_be_computed_is_refused_and_its_time_billed(kernel, fields, code, message):
    meter = Meter(1 << 30)
    whole = {"layer": 7, "row_count": 2, "hidden": HIDDEN, "pairs": [(0, 3, 1.0)]} | fields
    with pytest.raises(CallRefused) as refusal:
        service(kernel, meter).answer(received(call_of(**whole)))
    assert refusal.value.code is code
    assert message in refusal.value.message
    assert meter.read().busy_seconds > 0
    assert meter.read().calls == 0


def test_time_of_an_unforeseen_failure_is_billed_too():
    class Broken(NumpyKernel):
        def forward(self, weights, rows):
            raise MemoryError

    meter = Meter(1 << 30)
    call = call_of(layer=7, row_count=1, hidden=HIDDEN, pairs=[(0, 3, 1.0)])
    with pytest.raises(MemoryError):
        service(Broken(), meter).answer(received(call))
    assert meter.read().busy_seconds > 0
    assert meter.read().calls == 0


def test_meter_counts_refusals_by_code():
    meter = Meter(1 << 30)
    for code in (RefusalCode.BUSY, RefusalCode.BUSY, RefusalCode.INTERNAL):
        meter.refused(code)
    assert meter.read().refusals == {"BUSY": 2, "INTERNAL": 1}
    assert meter.read().busy_seconds == 0


def test_meter_bills_busy_and_idle_memory_apart():
    meter = Meter(3 << 29)
    meter.answered(rows=4, pairs=8, busy_seconds=2.0)
    reading = meter.read()
    assert (reading.calls, reading.rows, reading.pairs) == (1, 4, 8)
    assert reading.busy_gib_seconds == 3.0
    assert reading.idle_seconds == 0.0
    meter.restart()
    later = meter.read()
    assert (later.calls, later.busy_seconds) == (0, 0.0)
    assert later.idle_gib_seconds == later.idle_seconds * 1.5
