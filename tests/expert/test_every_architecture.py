"""Experts read by us and computed by our kernel are transformers' own, for every served model."""

from __future__ import annotations

import numpy as np
import pytest
from builders.stock_experts import StockExperts
from builders.tiny_checkpoints import ARCHITECTURES, REQUIRED, build

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.families import FAMILIES
from remoe_functions.expert.kernel import NumpyKernel


def rows_for(checkpoint, count=5):
    shape = (count, checkpoint.architecture.hidden_size)
    return np.random.default_rng(7).standard_normal(shape, dtype=np.float32)


def assert_experts_agree(directory):
    checkpoint, stock, kernel = Checkpoint.open(directory), StockExperts(directory), NumpyKernel()
    assert checkpoint.architecture.layers == tuple(sorted(stock.modules))
    rows = rows_for(checkpoint)
    for expert in checkpoint.architecture.experts:
        expected = stock.forward(expert, rows)
        assert np.abs(expected).max() > 0.05
        ours = kernel.forward(checkpoint.expert(expert), rows)
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5, err_msg=str(expert))


def test_every_served_model_type_is_compared_here():
    assert set(ARCHITECTURES) == set(FAMILIES)
    assert set(FAMILIES) >= set(REQUIRED)


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_every_expert_equals_the_one_of_transformers(architecture, tmp_path):
    assert_experts_agree(build(architecture, tmp_path))


@pytest.mark.parametrize("architecture", ["mixtral", "qwen3_moe", "granitemoe", "nemotron_h"])
def test_experts_stacked_as_transformers_holds_them_are_served_too(architecture, tmp_path):
    original = StockExperts(build(architecture, tmp_path / "original"))
    original.model.save_pretrained(tmp_path / "stacked", save_original_format=False)
    assert Checkpoint.open(tmp_path / "stacked").form.fused == (architecture != "nemotron_h")
    assert_experts_agree(tmp_path / "stacked")


@pytest.mark.parametrize("activation", ["gelu", "gelu_pytorch_tanh", "gelu_new", "relu", "relu2"])
def test_activation_named_by_the_config_is_used(activation, tmp_path):
    assert_experts_agree(build("mixtral", tmp_path, hidden_act=activation))


def test_clamp_of_the_config_is_used(tmp_path):
    tight = build("gpt_oss", tmp_path / "tight", swiglu_limit=0.25, swiglu_alpha=1.1)
    assert Checkpoint.open(tight).form.limit == 0.25
    assert_experts_agree(tight)
