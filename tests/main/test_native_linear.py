"""Dense projections by the native kernel: torch's numbers, and torch where it does not fit."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from remoe_functions.kernel.machine import native_available
from remoe_functions.main.native_linear import FEW_ROWS, use_native_linears

pytestmark = pytest.mark.skipif(not native_available().available, reason="no native kernel here")


def linear(inputs, outputs, *, bias=False, dtype=torch.bfloat16):
    torch.manual_seed(inputs + outputs)
    module = nn.Linear(inputs, outputs, bias=bias, dtype=dtype).requires_grad_(False)
    return nn.Sequential(module)


def rows(count, inputs, dtype=torch.bfloat16):
    return torch.randn(count, inputs, generator=torch.Generator().manual_seed(count)).to(dtype)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("inputs", "outputs"), [(64, 32), (576, 192), (130, 67), (1, 1), (2049, 5)]
)
@pytest.mark.parametrize("count", [1, 2, 5, FEW_ROWS])
def test_few_rows_give_the_product_rounded_once(inputs, outputs, count, bias):
    model = linear(inputs, outputs, bias=bias)
    assert use_native_linears(model) == 1
    x = rows(count, inputs)
    exact = functional.linear(
        x.double(), model[0].weight.double(), model[0].bias.double() if bias else None
    )
    got = model(x)
    assert got.dtype == torch.bfloat16
    # half a step of bfloat16, and what sums in float32 may lose
    torch.testing.assert_close(got.double(), exact, rtol=2**-8, atol=1e-3)


def test_leading_dimensions_and_strides_are_the_callers_own():
    model = linear(48, 24)
    use_native_linears(model)
    x = rows(12, 48).reshape(2, 6, 48).transpose(0, 1)
    assert not x.is_contiguous()
    torch.testing.assert_close(model(x), model(x.contiguous()), rtol=0, atol=0)
    assert model(x).shape == (6, 2, 24)


def test_a_rows_answer_does_not_depend_on_its_neighbors():
    model = linear(576, 192)
    use_native_linears(model)
    x = rows(FEW_ROWS, 576)
    alone = torch.cat([model(row[None]) for row in x])
    assert torch.equal(model(x), alone)


@pytest.mark.parametrize("spoiled", [float("nan"), float("inf")])
def test_nan_and_infinity_reach_the_answer_of_their_row_alone(spoiled):
    model = linear(64, 32)
    use_native_linears(model)
    x = rows(3, 64)
    x[1, 7] = spoiled
    finite = model(x).isfinite()
    assert not finite[1].any()
    assert finite[[0, 2]].all()


@pytest.mark.parametrize("count", [0, FEW_ROWS + 1])
def test_no_rows_and_many_rows_are_torchs_own(count):
    model, plain = linear(64, 32), linear(64, 32)
    use_native_linears(model)
    x = rows(count, 64)
    assert torch.equal(model(x), plain(x))


def test_other_types_layouts_and_layers_are_left_alone():
    class Own(nn.Linear):
        pass

    strided = nn.Linear(8, 8, bias=False)
    weight = torch.zeros(8, 16, dtype=torch.bfloat16)[:, ::2]
    strided.weight = nn.Parameter(weight, requires_grad=False)
    own = Own(8, 8, dtype=torch.bfloat16)
    for module in (linear(8, 8, dtype=torch.float32), strided, own, nn.LayerNorm(8)):
        assert use_native_linears(module) == 0
