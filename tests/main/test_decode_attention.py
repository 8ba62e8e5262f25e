"""Attention of one token is what torch's fused kernel gives; of more, it is that kernel."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from remoe_functions.main.decode_attention import attend

ROWS, HEADS, KEY_HEADS, TOKENS, SIZE = 3, 6, 2, 11, 16
CLOSE = {torch.float32: 1e-5, torch.bfloat16: 2e-2}


class Module(nn.Module):
    num_key_value_groups = HEADS // KEY_HEADS


def world(dtype, new_tokens=1, value_size=SIZE):
    draw = torch.Generator().manual_seed(5)

    def tensor(*shape):
        return torch.randn(shape, generator=draw).to(dtype)

    # Keys and values are a part of a larger cache, as the slot cache's are.
    keys = tensor(ROWS + 1, KEY_HEADS, TOKENS + 5, SIZE)[:ROWS, :, :TOKENS]
    values = tensor(ROWS + 1, KEY_HEADS, TOKENS + 5, value_size)[:ROWS, :, :TOKENS]
    return tensor(ROWS, HEADS, new_tokens, SIZE), keys, values


def both(query, keys, values, mask, **options):
    ours, weights = attend(Module(), query, keys, values, mask, **options)
    theirs, _ = sdpa_attention_forward(Module(), query, keys, values, mask, **options)
    assert weights is None
    return ours, theirs


def own_lengths(heads=1):
    lengths = torch.tensor([1, 7, TOKENS])[:, None, None, None]
    return (torch.arange(TOKENS)[None, None, None] < lengths).expand(ROWS, heads, 1, TOKENS)


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize("scaling", [None, 0.31])
@pytest.mark.parametrize("masked", ["nothing", "own lengths", "by head", "by numbers"])
def test_one_token_attends_as_in_torchs_kernel(dtype, scaling, masked):
    query, keys, values = world(dtype)
    mask = {
        "nothing": None,
        "own lengths": own_lengths(),
        "by head": own_lengths(HEADS),
        "by numbers": torch.where(own_lengths(), 0.0, torch.finfo(dtype).min).to(dtype),
    }[masked]
    ours, theirs = both(query, keys, values, mask, scaling=scaling)
    assert ours.shape == theirs.shape == (ROWS, 1, HEADS, SIZE)
    torch.testing.assert_close(ours, theirs, rtol=CLOSE[dtype], atol=CLOSE[dtype])


def test_values_may_be_of_another_width():
    ours, theirs = both(*world(torch.float32, value_size=5), None)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_what_is_masked_does_not_matter():
    query, keys, values = world(torch.float32)
    before, _ = attend(Module(), query, keys, values, own_lengths())
    keys[0, :, 1:], values[0, :, 1:] = 1e4, -1e4
    after, _ = attend(Module(), query, keys, values, own_lengths())
    assert torch.equal(before, after)


def test_inputs_are_left_as_they_were():
    parts = world(torch.bfloat16)
    copies = [part.clone() for part in parts]
    mask = own_lengths().clone()
    attend(Module(), *parts, mask)
    assert torch.equal(mask, own_lengths())
    assert all(torch.equal(*pair) for pair in zip(parts, copies, strict=True))


def test_several_tokens_are_torchs_own_matter():
    query, keys, values = world(torch.float32, new_tokens=4)
    ours, theirs = both(query, keys, values, own_lengths().expand(ROWS, 1, 4, TOKENS))
    assert torch.equal(ours, theirs)


def test_a_bias_on_the_scores_is_torchs_matter_too():
    query, keys, values = world(torch.float32)
    bias = torch.randn(1, HEADS, 1, TOKENS, generator=torch.Generator().manual_seed(1))
    ours, theirs = both(query, keys, values, None, position_bias=bias)
    assert torch.equal(ours, theirs)
