"""The file for llama.cpp holds the checkpoint's own weights, under llama.cpp's names and order."""

import json

import gguf
import numpy as np
import pytest
import torch
from builders.talking_mixtral import SPECIAL, TEMPLATE, talking_mixtral
from evaluation.rivals.gguf_file import Weights, paired, write_gguf
from safetensors.torch import load_file


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return talking_mixtral(
        tmp_path_factory.mktemp("mixtral"), hidden_size=64, intermediate_size=96, head_dim=16
    )


def converted(checkpoint, folder, weights):
    write_gguf(checkpoint, folder / "model.gguf", weights)
    return gguf.GGUFReader(folder / "model.gguf")


@pytest.fixture(scope="module")
def plain(checkpoint, tmp_path_factory):
    return converted(checkpoint, tmp_path_factory.mktemp("bf16"), Weights.BF16)


def values(reader, name):
    found = next(tensor for tensor in reader.tensors if tensor.name == name)
    return gguf.quants.dequantize(found.data, found.tensor_type)


def stored(checkpoint):
    return load_file(checkpoint / "model.safetensors")


def experts_of(checkpoint, matrix):
    tensors = stored(checkpoint)
    return np.stack(
        [
            tensors[f"model.layers.1.block_sparse_moe.experts.{expert}.{matrix}.weight"]
            for expert in range(6)
        ]
    )


@pytest.mark.parametrize(("matrix", "name"), [("w1", "gate"), ("w2", "down"), ("w3", "up")])
def test_experts_of_a_layer_are_stacked_in_their_order(checkpoint, plain, matrix, name):
    told = values(plain, f"blk.1.ffn_{name}_exps.weight")
    np.testing.assert_allclose(told, experts_of(checkpoint, matrix), rtol=2**-8)


def test_router_and_norms_keep_all_their_bits(checkpoint, plain):
    ours = stored(checkpoint)
    for name, source in {
        "blk.0.ffn_gate_inp.weight": "model.layers.0.block_sparse_moe.gate.weight",
        "output_norm.weight": "model.norm.weight",
    }.items():
        np.testing.assert_array_equal(values(plain, name), ours[source].numpy())


def test_quantized_weights_are_near_the_checkpoints(checkpoint, tmp_path):
    reader = converted(checkpoint, tmp_path, Weights.Q8_0)
    told, true = values(reader, "blk.1.ffn_gate_exps.weight"), experts_of(checkpoint, "w1")
    assert 0 < np.abs(told - true).max() < 0.01 * np.abs(true).max()


def test_every_weight_goes_over_once(checkpoint, plain):
    whole = sum(tensor.numel() for tensor in stored(checkpoint).values())
    assert sum(int(tensor.n_elements) for tensor in plain.tensors) == whole


def test_tied_head_is_left_out(tmp_path):
    folder = talking_mixtral(tmp_path / "tied", tie_word_embeddings=True, hidden_size=64)
    reader = converted(folder, tmp_path, Weights.BF16)
    assert "output.weight" not in {tensor.name for tensor in reader.tensors}


def test_pairs_turned_side_by_side_give_the_scores_of_halves_turned():
    heads, size = 3, 8
    angles = torch.rand(size // 2)
    query, key = torch.rand(2, heads * size, 5)

    def halves(rows):
        first, second = rows.reshape(heads, 2, size // 2, 5).unbind(1)
        turned = first * cos - second * sin, second * cos + first * sin
        return torch.stack(turned, 1).reshape(heads, size, 5)

    def neighbors(rows):
        first, second = rows.reshape(heads, size // 2, 2, 5).unbind(2)
        turned = first * cos - second * sin, second * cos + first * sin
        return torch.stack(turned, 2).reshape(heads, size, 5)

    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    expected = torch.einsum("hsi,hsj->hij", halves(query), halves(key) * 2)
    came = torch.einsum(
        "hsi,hsj->hij", neighbors(paired(query, heads)), neighbors(paired(key, heads)) * 2
    )
    torch.testing.assert_close(came, expected)
    unpaired = torch.einsum("hsi,hsj->hij", neighbors(query), halves(key) * 2)
    assert not torch.allclose(unpaired, expected)


def test_tokens_and_the_chat_template_go_along(plain):
    assert plain.get_field("tokenizer.chat_template").contents() == TEMPLATE
    tokens = plain.get_field("tokenizer.ggml.tokens").contents()
    types = plain.get_field("tokenizer.ggml.token_type").contents()
    control = {token for token, kind in zip(tokens, types, strict=True) if kind == 3}
    assert control == set(SPECIAL)
    assert plain.get_field("tokenizer.ggml.merges").contents() == ["t h"]


def test_other_architectures_are_refused(checkpoint, tmp_path):
    config = json.loads((checkpoint / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "olmoe"}))
    with pytest.raises(ValueError, match="model_type must be mixtral, got olmoe"):
        write_gguf(tmp_path, tmp_path / "model.gguf")
