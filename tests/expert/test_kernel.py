"""The kernel computes every form of expert, in every type of weights, for any number of rows."""

from __future__ import annotations

import numpy as np
import pytest
from builders.expert_weights import computed_plainly, expert, form, tensor
from hypothesis import given, settings
from hypothesis import strategies as st

from remoe_functions.checkpoint.ffn import Activation, ExpertWeights
from remoe_functions.checkpoint.tensors import Dtype
from remoe_functions.expert import projection
from remoe_functions.expert.activation import gelu
from remoe_functions.expert.kernel import NumpyKernel
from remoe_functions.expert.projection import Projector, tile

WEIGHTS = [Dtype.FLOAT32, Dtype.FLOAT16, Dtype.BFLOAT16]
PLAIN = [a for a in Activation if a is not Activation.CLAMPED_SWIGLU]


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


def rows_of(count, hidden=12, seed=1):
    return np.random.default_rng(seed).standard_normal((count, hidden), dtype=np.float32)


@settings(max_examples=200, deadline=None)
@given(form=forms(), dtype=st.sampled_from(WEIGHTS), count=st.integers(0, 20), seed=st.integers(0))
def test_every_form_equals_its_plain_account(form, dtype, count, seed):
    biased = form.fused or not form.gated
    weights = expert(form, dtype=dtype, biased=biased, seed=seed % 2**32)
    rows = rows_of(count, seed=seed % 2**32)
    ours = NumpyKernel().forward(weights, rows)
    assert ours.dtype == np.float32
    assert ours.shape == rows.shape
    np.testing.assert_allclose(ours, computed_plainly(weights, rows), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", WEIGHTS)
@pytest.mark.parametrize("count", [1, 3, 16, 40, 120])
def test_blocks_smaller_than_the_matrix_give_the_whole_product(
    transposed, dtype, count, monkeypatch
):
    monkeypatch.setattr(projection, "SCRATCH_FLOATS", 100)
    monkeypatch.setattr(projection, "SMALL_RESULT", 7)
    weights = expert(form(transposed=transposed), hidden=24, intermediate=31, dtype=dtype)
    rows = rows_of(count, 24)
    ours = NumpyKernel().forward(weights, rows)
    np.testing.assert_allclose(ours, computed_plainly(weights, rows), rtol=2e-5, atol=2e-5)


@given(count=st.integers(2, 10**4), width=st.integers(1, 10**7))
def test_tiles_fit_the_small_kernel_and_never_vanish(count, width):
    tall, wide = tile(count, width)
    assert 1 <= tall <= count
    assert wide >= 1
    assert tall * wide == 1 or tall * wide * width <= projection.SMALL_PRODUCT
    assert tall * wide <= projection.SMALL_RESULT


def test_scratch_stays_small_beside_the_weights():
    weights = expert(form(), hidden=2048, intermediate=4096, dtype=Dtype.BFLOAT16)
    kernel = NumpyKernel()
    kernel.forward(weights, rows_of(1, 2048))
    kernel.forward(weights, rows_of(30, 2048))
    held = kernel._projector._scratch.nbytes
    assert 0 < held <= 4 * projection.SCRATCH_FLOATS < weights.nbytes


def test_float32_weights_need_no_scratch():
    kernel = NumpyKernel()
    kernel.forward(expert(form()), rows_of(2))
    assert kernel._projector._scratch.size == 0


@pytest.mark.parametrize("spoiled", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", WEIGHTS)
def test_nan_and_infinity_reach_the_answer_of_their_row_alone(spoiled, dtype):
    rows = rows_of(3)
    rows[1, 4] = spoiled
    out = NumpyKernel().forward(expert(form(), dtype=dtype), rows)
    assert not np.isfinite(out[1]).all()
    assert np.isfinite(out[[0, 2]]).all()


def test_nan_in_weights_reaches_the_answer():
    weights = expert(form())
    down = weights.down.array.copy()
    down[3, 0] = np.nan
    weights = ExpertWeights(form=weights.form, up=weights.up, down=tensor(down, Dtype.BFLOAT16))
    assert np.isnan(NumpyKernel().forward(weights, rows_of(1))[0]).tolist() == [
        column == 3 for column in range(12)
    ]


def test_huge_gates_end_in_zero_or_themselves_without_a_warning():
    eye = tensor(np.eye(2))
    weights = ExpertWeights(form=form(gated=False), up=(eye,), down=eye)
    out = NumpyKernel().forward(weights, np.array([[-1e30, 1e30]], np.float32))
    assert out.tolist() == [[0.0, np.float32(1e30)]]


def test_gelu_is_exact_to_float32():
    from scipy.special import erf

    x = np.linspace(-12, 12, 20_001, dtype=np.float32)
    exact = x.astype(np.float64) * 0.5 * (1 + erf(x.astype(np.float64) / np.sqrt(2)))
    np.testing.assert_allclose(gelu(x), exact, rtol=1e-6, atol=1e-7)


def test_projection_of_no_rows_is_empty():
    matrix = expert(form()).down
    assert Projector().project(rows_of(0, 10), matrix, transposed=False).shape == (0, 12)
