"""The native layer gives what float64 gives: every path, form, type of weights, size and place."""

from __future__ import annotations

import threading

import ml_dtypes
import numpy as np
import pytest
from builders.expert_weights import computed_plainly, expert, form, tensor
from builders.native_layers import answer, displaced, pairs, rows_of
from hypothesis import given, settings
from hypothesis import strategies as st

from remoe_functions.checkpoint.ffn import Activation, ExpertWeights
from remoe_functions.checkpoint.tensors import Dtype
from remoe_functions.kernel.machine import InstructionSet, available, native_available
from remoe_functions.kernel.moe_layer import Precision, forward
from remoe_functions.kernel.native_expert import ExpertTable, NativeExpert

pytestmark = pytest.mark.skipif(not native_available().available, reason="no native kernel here")
WEIGHTS = [Dtype.FLOAT32, Dtype.FLOAT16, Dtype.BFLOAT16]
SETS = available() if native_available().available else ()


@st.composite
def forms(draw):
    activation = draw(st.sampled_from(list(Activation)))
    gated = activation is Activation.CLAMPED_SWIGLU or draw(st.booleans())
    fused = gated and draw(st.booleans())
    return form(
        activation,
        gated=gated,
        fused=fused,
        interleaved=fused and draw(st.booleans()),
        transposed=draw(st.booleans()),
    )


def close(ours, plain, tolerance=1e-5):
    np.testing.assert_allclose(ours, plain, rtol=0, atol=tolerance * (1 + np.abs(plain).max()))


@settings(max_examples=250, deadline=None)
@given(
    form=forms(),
    dtype=st.sampled_from(WEIGHTS),
    instructions=st.sampled_from(SETS or [InstructionSet.PLAIN]),
    hidden=st.integers(1, 150),
    intermediate=st.integers(1, 150),
    count=st.integers(1, 20),
    shift=st.integers(0, 40),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_expert_equals_its_plain_account(
    form, dtype, instructions, hidden, intermediate, count, shift, seed
):
    biased = form.fused or not form.gated
    weights = expert(
        form, hidden=hidden, intermediate=intermediate, dtype=dtype, biased=biased, seed=seed
    )
    rows = rows_of(count, hidden, seed)
    ours = answer(displaced(weights, 2 * shift), rows, instructions=instructions)
    close(ours, computed_plainly(weights, rows))


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("instructions", SETS)
@pytest.mark.parametrize("count", [1, 4, 5, 100])
def test_sizes_beyond_one_block_of_sums_are_added_up(transposed, instructions, count):
    weights = expert(
        form(transposed=transposed), hidden=1100, intermediate=530, dtype=Dtype.BFLOAT16
    )
    rows = rows_of(count, 1100)
    close(answer(weights, rows, instructions=instructions), computed_plainly(weights, rows))


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("count", [1, 3, 4, 5, 12, 13, 40])
@pytest.mark.parametrize("width", [31, 64, 1500])
def test_fast_products_err_no_more_than_rounding_their_inputs(count, width, transposed):
    weights = expert(
        form(transposed=transposed), hidden=width, intermediate=70, dtype=Dtype.BFLOAT16
    )
    rows = rows_of(count, width).astype(ml_dtypes.bfloat16)
    plain = computed_plainly(weights, rows.astype(np.float32))
    ours = answer(weights, rows.view(np.uint16), precision=Precision.FAST)
    close(ours, plain, 2**-8)


def test_rows_may_come_in_bfloat16():
    weights = expert(form(), hidden=70, intermediate=33)
    rows = rows_of(3, 70).astype(ml_dtypes.bfloat16)
    close(answer(weights, rows.view(np.uint16)), computed_plainly(weights, rows.astype(np.float32)))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 30),
    experts=st.integers(1, 9),
    top=st.integers(0, 60),
    precision=st.sampled_from(Precision),
    transposed=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_sums_over_pairs_are_the_same_bits_for_any_number_of_threads(
    rows, experts, top, precision, transposed, seed
):
    made = [
        expert(
            form(transposed=transposed), hidden=37, intermediate=41, dtype=Dtype.BFLOAT16, seed=s
        )
        for s in range(experts)
    ]
    table = ExpertTable(map(NativeExpert.of, made))
    random = np.random.default_rng(seed)
    tokens, which, weights = pairs(random, rows, experts, top)
    x = rows_of(rows, 37, seed)
    plain, size = np.zeros((rows, 37)), np.zeros(rows)
    for token, index, weight in zip(tokens, which, weights, strict=True):
        output = computed_plainly(made[index], x[token : token + 1])[0]
        plain[token] += weight * output
        size[token] += abs(weight) * np.abs(output).max()
    ours = [
        forward(table, x, tokens, which, weights, threads=threads, precision=precision)
        for threads in (1, 2, 3)
    ]
    # Weights of both signs cancel, and what rounding left of each answer does not.
    tolerance = 1e-5 if precision is Precision.EXACT else 2**-7
    np.testing.assert_allclose(ours[0], plain, rtol=0, atol=tolerance * (1 + size.max()))
    assert ours[0].tobytes() == ours[1].tobytes() == ours[2].tobytes()


@settings(max_examples=60, deadline=None)
@given(
    parts=st.integers(2, 4),
    precision=st.sampled_from(Precision),
    instructions=st.sampled_from(SETS or [InstructionSet.PLAIN]),
    seed=st.integers(0, 2**32 - 1),
)
def test_sums_over_parts_of_the_pairs_add_up_to_the_same_bits_in_any_order(
    parts, precision, instructions, seed
):
    made = [
        expert(form(), hidden=37, intermediate=41, dtype=Dtype.BFLOAT16, seed=s) for s in range(9)
    ]
    table = ExpertTable(map(NativeExpert.of, made))
    random = np.random.default_rng(seed)
    tokens, which, weights = pairs(random, 5, 9, 60)
    home = random.integers(0, parts, 9)[which]
    x = rows_of(5, 37, seed)

    def sums(mask):
        picked = tokens[mask], which[mask], weights[mask]
        return forward(table, x, *picked, precision=precision, instructions=instructions)

    together = sums(home >= 0)
    apart = sum(sums(home == part) for part in random.permutation(parts))
    assert together.dtype == np.float64
    assert together.tobytes() == apart.tobytes()


def test_a_share_is_rounded_to_float32_before_it_is_added():
    weights = expert(form(), dtype=Dtype.BFLOAT16)
    table, rows = ExpertTable([NativeExpert.of(weights)]), rows_of(1, 12)
    one = np.zeros(1, np.uint32), np.zeros(1, np.uint16)
    plain = forward(table, rows, *one, np.ones(1, np.float32)).astype(np.float32)
    third = np.full(1, 1 / 3, np.float32)
    assert (forward(table, rows, *one, third) == (third * plain).astype(np.float64)).all()


@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("instructions", SETS)
def test_a_row_has_the_same_bits_alone_and_in_company(instructions, transposed, precision):
    made = form(transposed=transposed)
    weights = expert(made, hidden=1100, intermediate=133, dtype=Dtype.BFLOAT16)
    rows = rows_of(110, 1100)
    chosen = {"instructions": instructions, "precision": precision}
    alone = answer(weights, rows[:1], **chosen)[0]
    for count in (2, 3, 4, 5, 8, 9, 50, 110):
        assert answer(weights, rows[:count], **chosen)[0].tobytes() == alone.tobytes(), count


def test_many_pairs_in_waves_give_what_one_row_gives():
    weights = expert(form(), hidden=33, intermediate=17000, dtype=Dtype.BFLOAT16)
    rows = rows_of(400, 33)
    together = answer(weights, rows, threads=2)
    assert together[399].tobytes() == answer(weights, rows[399:])[0].tobytes()


def test_a_row_without_pairs_is_zero_and_no_pairs_are_no_trouble():
    table = ExpertTable([NativeExpert.of(expert(form()))])
    rows, out = rows_of(2, 12), np.full((2, 12), 7, np.float64)
    none = np.zeros(0, np.uint32), np.zeros(0, np.uint16), np.zeros(0, np.float32)
    assert not forward(table, rows, *none, out=out).any()
    one = np.ones(1, np.uint32), np.zeros(1, np.uint16), np.ones(1, np.float32)
    assert not forward(table, rows, *one, out=out)[0].any()
    assert out[1].all()
    assert forward(table, rows[:0], *none).shape == (0, 12)


@pytest.mark.parametrize("spoiled", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", WEIGHTS)
@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("instructions", SETS)
def test_nan_and_infinity_reach_the_answer_of_their_row_alone(
    spoiled, dtype, precision, transposed, instructions
):
    rows = rows_of(7, 12)
    rows[1, 4] = spoiled
    weights = expert(form(transposed=transposed), dtype=dtype)
    out = answer(weights, rows, instructions=instructions, precision=precision)
    assert not np.isfinite(out[1]).all()
    assert np.isfinite(out[[0, 2, 3, 4, 5, 6]]).all()


@pytest.mark.parametrize("instructions", SETS)
def test_nan_in_weights_reaches_its_column(instructions):
    weights = expert(form(), dtype=Dtype.BFLOAT16)
    down = weights.down.array.copy()
    down[3, 0] = 0x7FC1
    down = tensor(down.view(ml_dtypes.bfloat16), Dtype.BFLOAT16)
    spoiled = ExpertWeights(form=weights.form, up=weights.up, down=down)
    out = answer(spoiled, rows_of(1, 12), instructions=instructions)
    assert np.isnan(out[0]).tolist() == [column == 3 for column in range(12)]


@pytest.mark.parametrize(
    "activation", [a for a in Activation if a is not Activation.CLAMPED_SWIGLU]
)
@pytest.mark.parametrize("instructions", SETS)
def test_activations_hold_at_the_edges(activation, instructions):
    """Huge and tiny values, both signs, denormals among them, through a matrix of ones."""
    edges = [0.0, 1e-45, 1e-40, 1e-30, 1e-8, 0.3, 1.0, 5.0, 17.0, 87.5, 90.0, 200.0, 1e18]
    values = np.array([*edges, *(-edge for edge in edges)], np.float32)
    eye = tensor(np.eye(len(values)))
    weights = ExpertWeights(form=form(activation, gated=False), up=(eye,), down=eye)
    ours = answer(weights, np.diag(values), instructions=instructions)
    with np.errstate(over="ignore"):
        plain = computed_plainly(weights, np.diag(values))
    np.testing.assert_allclose(ours, plain, rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("instructions", SETS)
def test_denormal_weights_and_rows_count(instructions):
    small = tensor(np.full((1, 1), 1e-39), Dtype.BFLOAT16)
    one = tensor(np.ones((1, 1)), Dtype.BFLOAT16)
    weights = ExpertWeights(form=form(Activation.RELU, gated=False), up=(small,), down=one)
    out = answer(weights, np.full((1, 1), 2, np.float32), instructions=instructions)
    np.testing.assert_allclose(out, 2e-39, rtol=0.02)
    weights = ExpertWeights(form=form(Activation.RELU, gated=False), up=(one,), down=one)
    out = answer(weights, np.full((1, 1), 1e-42, np.float32), instructions=instructions)
    assert out[0, 0] == np.float32(1e-42)


def test_several_threads_may_call_at_once():
    weights = expert(form(), hidden=300, intermediate=200, dtype=Dtype.BFLOAT16)
    rows = rows_of(9, 300)
    wanted = answer(weights, rows).tobytes()
    wrong = []

    def call(threads):
        wrong.extend(
            threads for _ in range(30) if answer(weights, rows, threads=threads).tobytes() != wanted
        )

    callers = [threading.Thread(target=call, args=(1 + index % 3,)) for index in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(60)
    assert not any(caller.is_alive() for caller in callers)
    assert wrong == []
