"""GPT-OSS as it is published, experts in MXFP4, is served as it lies, with its own numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import transformers
from builders.mxfp4_checkpoints import build_mxfp4, dequantized
from builders.stock_experts import StockExperts
from main.engine_world import answer_of, world
from safetensors.numpy import load_file, save_file

from remoe_functions.checkpoint.block_values import values_of
from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.errors import CheckpointError, UnsupportedModelError
from remoe_functions.expert.kernel import NumpyKernel
from remoe_functions.kernel.moe_layer import forward
from remoe_functions.kernel.native_expert import NativeExpert

PROMPT = tuple((7 * i * i + 3 * i + 5) % 128 for i in range(20))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_mxfp4(tmp_path_factory.mktemp("mxfp4"))


@pytest.fixture(scope="module")
def plain(folder, tmp_path_factory):
    return dequantized(folder, tmp_path_factory.mktemp("plain"))


def native(weights, rows):
    count = np.arange(len(rows), dtype=np.uint32)
    which, ones = np.zeros(len(rows), np.uint16), np.ones(len(rows), np.float32)
    return forward([NativeExpert.of(weights)], rows, count, which, ones)


def test_weights_are_those_of_transformers_to_the_bit(folder, plain):
    ours, theirs = Checkpoint.open(folder), Checkpoint.open(plain)
    for expert in ours.architecture.experts:
        mine, stock = ours.expert(expert), theirs.expert(expert)
        for left, right in zip((*mine.up, mine.down), (*stock.up, stock.down), strict=True):
            assert (values_of(left) == right.array.T).all()


def test_every_expert_equals_the_one_of_transformers(folder, plain):
    checkpoint, stock = Checkpoint.open(folder), StockExperts(plain)
    rows = np.random.default_rng(7).standard_normal((5, 64), dtype=np.float32)
    for expert in checkpoint.architecture.experts:
        expected = stock.forward(expert, rows)
        assert np.abs(expected).max() > 0.05
        weights = checkpoint.expert(expert)
        ours = NumpyKernel().forward(weights, rows)
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5, err_msg=str(expert))
        bound = 1e-3 * np.abs(expected).max()
        np.testing.assert_allclose(native(weights, rows), expected, atol=bound, rtol=0)


def test_an_expert_has_the_bytes_of_four_bits(folder, plain):
    packed = Checkpoint.open(folder).architecture.expert_bytes
    biases = 2 * (2 * 96 + 64)
    assert packed - biases == 3 * 64 * 96 * 17 // 32
    assert packed < Checkpoint.open(plain).architecture.expert_bytes / 6
    whole = Checkpoint.open(folder)
    assert whole.architecture.total_bytes == sum(whole.tensor(n).nbytes for n in whole.names)


@pytest.mark.parametrize("remote", [False, True])
def test_greedy_tokens_are_those_of_the_dequantized_model(folder, plain, remote):
    stock = transformers.AutoModelForCausalLM.from_pretrained(
        plain, dtype=torch.float32, attn_implementation="eager"
    )
    out = stock.generate(
        torch.tensor([PROMPT]),
        attention_mask=torch.ones(1, len(PROMPT), dtype=torch.long),
        max_new_tokens=12,
        min_new_tokens=12,
        do_sample=False,
    )
    with world(folder, lambda expert: remote and expert.index % 2 == 0, dtype="float32") as made:
        assert answer_of(made.service, PROMPT, 12) == out[0, len(PROMPT) :].tolist()


def test_weights_not_in_whole_blocks_are_refused(folder, tmp_path):
    config = json.loads((folder / "config.json").read_text()) | {"intermediate_size": 80}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").symlink_to(folder / "model.safetensors")
    with pytest.raises(UnsupportedModelError, match="intermediate_size must be a multiple of 32"):
        Checkpoint.open(tmp_path)


def test_blocks_of_another_shape_or_type_are_named(folder, tmp_path):
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    tensors = load_file(plain_bytes(folder, tmp_path))
    name = "model.layers.1.mlp.experts.down_proj_scales"
    for spoiled, message in (
        (tensors[name][:, :, :1].copy(), f"tensor {name} has shape"),
        (tensors[name].astype(np.uint16), f"tensor {name} is U16"),
    ):
        save_file(tensors | {name: spoiled}, tmp_path / "model.safetensors")
        with pytest.raises(CheckpointError, match=message):
            Checkpoint.open(tmp_path)


def plain_bytes(folder, tmp_path):
    """The checkpoint with its bfloat16 tensors seen as float16: numpy can load it then."""
    data = (folder / "model.safetensors").read_bytes().replace(b'"BF16"', b'"F16" ')
    (tmp_path / "seen.safetensors").write_bytes(data)
    return tmp_path / "seen.safetensors"
