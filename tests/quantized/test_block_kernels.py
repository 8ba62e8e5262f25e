"""Kernels on weights in blocks give what the blocks' values give in float64, on every code path."""

from __future__ import annotations

import numpy as np
import pytest
from builders.expert_weights import computed_plainly, form, tensor

from remoe_functions.checkpoint.block_values import values_of
from remoe_functions.checkpoint.blocks import BlockFormat, BlockTensor
from remoe_functions.checkpoint.ffn import Activation, ExpertWeights
from remoe_functions.expert.kernel import NumpyKernel
from remoe_functions.kernel.machine import InstructionSet, available, native_available
from remoe_functions.kernel.moe_layer import Precision, forward
from remoe_functions.kernel.native_expert import NativeExpert

PATHS = available() if native_available().available else ()
# Input is rounded to 15 bits and a sign, or to seven.
BOUNDS = {Precision.EXACT: 2e-4, Precision.FAST: 0.03}
SIZES = ((64, 96), (576, 160), (48, 40), (33, 65), (700, 129), (1, 1))


def block_matrix(random, out_size, in_size, kind):
    """A matrix of random codes, at an odd address, right up to the end of its memory."""
    codes = unaligned(random.integers(0, 256, kind.code_shape(out_size, in_size), np.uint8))
    count = kind.scale_shape(out_size, in_size)
    if kind is BlockFormat.MXFP4:
        scales = random.integers(120, 126, count, np.uint8)
    else:
        values = random.uniform(-1, 1, count).astype(np.float32) / (100 * in_size**0.5)
        scales = (values.view(np.uint32) >> 16).astype(np.uint16)
    return BlockTensor(
        format=kind,
        codes=codes.view(np.int8) if kind is BlockFormat.Q8 else codes,
        scales=unaligned(scales),
        out_size=out_size,
        in_size=in_size,
    )


def unaligned(array):
    room = np.empty(array.nbytes + 1, np.uint8)
    room[1:] = array.view(np.uint8).reshape(-1)
    return room[1:].view(array.dtype).reshape(array.shape)


def block_expert(kind, hidden, inner, *, seed=0, biased=False, **fields):
    random = np.random.default_rng(seed)
    made = form(fields.pop("activation", Activation.SILU), **fields)
    height = 2 * inner if made.fused else inner
    count = 2 if made.gated and not made.fused else 1
    return ExpertWeights(
        form=made,
        up=tuple(block_matrix(random, height, hidden, kind) for _ in range(count)),
        down=block_matrix(random, hidden, inner, kind),
        up_bias=tensor(random.standard_normal(height)) if biased else None,
        down_bias=tensor(random.standard_normal(hidden)) if biased else None,
    )


def plain(weights):
    """The same expert with its matrices' values in float32."""
    if not weights.in_blocks:
        return weights
    return ExpertWeights(
        form=weights.form,
        up=tuple(tensor(values_of(matrix)) for matrix in weights.up),
        down=tensor(values_of(weights.down)),
        up_bias=weights.up_bias,
        down_bias=weights.down_bias,
    )


def expected(weights, rows):
    return computed_plainly(plain(weights), rows)


def native(weights, rows, **options):
    count = np.arange(len(rows), dtype=np.uint32)
    which, ones = np.zeros(len(rows), np.uint16), np.ones(len(rows), np.float32)
    return forward([NativeExpert.of(weights)], rows, count, which, ones, **options)


def rows_of(count, width, seed=1):
    return np.random.default_rng(seed).standard_normal((count, width), dtype=np.float32)


def relative(ours, wanted):
    return np.linalg.norm(ours - wanted) / max(np.linalg.norm(wanted), 1e-30)


@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("kind", BlockFormat)
@pytest.mark.parametrize("path", PATHS)
def test_every_path_equals_float64_for_every_size_and_number_of_rows(path, kind, precision):
    for hidden, inner in SIZES:
        weights = block_expert(kind, hidden, inner)
        for count in (1, 2, 3, 4, 5, 9, 60):
            rows = rows_of(count, hidden)
            ours = native(weights, rows, instructions=path, precision=precision)
            error = relative(ours, expected(weights, rows))
            assert error < BOUNDS[precision], (hidden, inner, count)


@pytest.mark.parametrize("kind", BlockFormat)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "fields",
    [
        {"fused": True, "biased": True},
        {
            "fused": True,
            "interleaved": True,
            "biased": True,
            "activation": Activation.CLAMPED_SWIGLU,
        },
        {"gated": False, "activation": Activation.RELU2, "biased": True},
        {"activation": Activation.GELU_TANH},
    ],
)
def test_every_form_of_expert_equals_float64(path, kind, fields):
    weights = block_expert(kind, 96, 80, **fields)
    rows = rows_of(7, 96)
    ours = native(weights, rows, instructions=path)
    assert relative(ours, expected(weights, rows)) < 2 * BOUNDS[Precision.EXACT]


@pytest.mark.parametrize("kind", BlockFormat)
def test_numpy_kernel_equals_float64(kind):
    weights, rows = block_expert(kind, 70, 50), rows_of(6, 70)
    assert relative(NumpyKernel().forward(weights, rows), expected(weights, rows)) < 3e-6


@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize("kind", BlockFormat)
@pytest.mark.parametrize("path", PATHS)
def test_a_row_is_the_same_to_the_bit_whatever_is_beside_it(path, kind, precision):
    options = {"instructions": path, "precision": precision}
    for hidden, inner, fused in ((576, 200, False), (1100, 40, True)):
        weights = block_expert(kind, hidden, inner, fused=fused)
        rows = rows_of(40, hidden)
        together = native(weights, rows, threads=2, **options)
        for row in (0, 7, 39):
            alone = native(weights, rows[row : row + 1], **options)
            assert (alone[0] == together[row]).all()
        few = native(weights, rows[5:8], **options)
        assert (few == together[5:8]).all()


@pytest.mark.parametrize("kind", BlockFormat)
def test_every_path_with_fused_products_gives_the_same_bits(kind):
    """A block's sum is exact, and blocks are added in one order: paths differ in speed alone."""
    paths = [path for path in PATHS if path not in (InstructionSet.PLAIN, InstructionSet.NEON)]
    weights = block_expert(kind, 700, 96, gated=False, activation=Activation.RELU)
    rows = rows_of(5, 700)
    for precision in Precision:
        every = [native(weights, rows, instructions=path, precision=precision) for path in paths]
        assert all((ours == every[0]).all() for ours in every)


@pytest.mark.parametrize("kind", BlockFormat)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none_spoils_its_own_row_alone(path, kind, bad):
    weights, rows = block_expert(kind, 96, 64), rows_of(3, 96)
    rows[1, 70] = bad
    ours = native(weights, rows, instructions=path)
    assert np.isfinite(ours[[0, 2]]).all()
    assert not np.isfinite(ours[1]).all()


@pytest.mark.parametrize("kind", BlockFormat)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [0.0, 1e-42, 1e-30, 1e15])
def test_input_of_any_size_is_met(path, kind, size):
    weights = block_expert(kind, 64, 64, gated=False, activation=Activation.RELU)
    rows = rows_of(4, 64) * np.float32(size)
    ours, wanted = native(weights, rows, instructions=path), expected(weights, rows)
    assert np.isfinite(ours).all()
    assert np.abs(ours - wanted).max() <= 3e-4 * np.abs(wanted).max() + 1e-28


@pytest.mark.parametrize("path", PATHS)
def test_experts_of_several_formats_are_met_in_one_call(path):
    experts = [block_expert(kind, 64, 96, seed=seed) for seed, kind in enumerate(BlockFormat)]
    experts.append(plain(experts[0]))
    rows = rows_of(8, 64)
    token_rows = np.repeat(np.arange(8, dtype=np.uint32), 4)
    which = np.tile(np.arange(4, dtype=np.uint16), 8)
    shares = np.full(32, 0.25, np.float32)
    table = [NativeExpert.of(weights) for weights in experts]
    ours = forward(table, rows, token_rows, which, shares, instructions=path)
    wanted = sum(expected(weights, rows) for weights in experts) / 4
    assert relative(ours, wanted) < BOUNDS[Precision.EXACT]


@pytest.mark.parametrize("exponent", [0, 1, 2, 126, 254, 255])
@pytest.mark.parametrize("path", PATHS)
def test_every_exponent_of_mxfp4_has_its_value(path, exponent):
    """Down to 2^-127, and up to 2^128 times six, which float32 has no more: infinity then."""
    codes = np.full((32, 16), 0x22, np.uint8)  # ones
    matrix = BlockTensor(
        format=BlockFormat.MXFP4,
        codes=codes,
        scales=np.full((32, 1), exponent, np.uint8),
        out_size=32,
        in_size=32,
    )
    size = 2.0 ** (exponent - 127) if exponent < 255 else np.inf
    assert (values_of(matrix) == np.float32(size)).all()
    one = BlockTensor(
        format=BlockFormat.MXFP4,
        codes=codes,
        scales=np.full((32, 1), 127, np.uint8),
        out_size=32,
        in_size=32,
    )
    weights = ExpertWeights(form=form(Activation.RELU, gated=False), up=(one,), down=matrix)
    row = np.zeros((1, 32), np.float32)
    row[0, 0] = 1 / 32
    ours = native(weights, row, instructions=path)
    np.testing.assert_allclose(ours, np.full((1, 32), np.float32(size)), rtol=1e-4, atol=1e-44)
