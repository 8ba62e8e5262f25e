"""A folder whose parts are missing or contradict each other is refused, and says where."""

from __future__ import annotations

import json
import shutil

import pytest
from builders.tiny_checkpoints import build
from safetensors.numpy import load_file, save_file

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.errors import CheckpointError
from remoe_planner.experts import ExpertId

FIRST = "model.layers.0.block_sparse_moe.experts.0.w1.weight"


@pytest.fixture
def folder(mixtral, tmp_path):
    """A copy of the tiny Mixtral that may be spoiled."""
    return shutil.copytree(mixtral, tmp_path / "model")


@pytest.fixture(scope="session")
def sharded_original(mixtral, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharded")
    tensors = load_file(mixtral / "model.safetensors")
    shutil.copy(mixtral / "config.json", folder)
    names, weight_map = sorted(tensors), {}
    for number in range(3):
        file = f"model-{number + 1:05d}-of-00003.safetensors"
        part = {name: tensors[name] for name in names[number::3]}
        save_file(part, folder / file)
        weight_map |= dict.fromkeys(part, file)
    write_index(folder, weight_map)
    return folder


@pytest.fixture
def sharded(sharded_original, tmp_path):
    return shutil.copytree(sharded_original, tmp_path / "sharded")


def write_index(folder, weight_map):
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def read_index(folder):
    return json.loads((folder / "model.safetensors.index.json").read_text())["weight_map"]


def change_config(folder, **fields):
    path = folder / "config.json"
    config = json.loads(path.read_text()) | fields
    path.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


def change_tensors(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def refused(folder, message):
    with pytest.raises(CheckpointError, match=message) as refusal:
        Checkpoint.open(folder)
    assert str(folder) in str(refusal.value)


def test_shards_are_one_checkpoint(sharded, mixtral):
    one, many = Checkpoint.open(mixtral), Checkpoint.open(sharded)
    assert many.names == one.names
    expert = ExpertId(2, 5)
    for left, right in zip(one.expert(expert).tensors, many.expert(expert).tensors, strict=True):
        assert (left.array == right.array).all()


def test_missing_folder_config_and_weights_are_named(folder, tmp_path):
    refused(tmp_path / "absent", "no such folder")
    (folder / "model.safetensors").unlink()
    refused(folder, "neither model.safetensors nor model.safetensors.index.json")
    (folder / "config.json").unlink()
    refused(folder, "config.json: no such file")


@pytest.mark.parametrize("text", ["{", "[]", "\xff\xfe", "null"])
def test_config_that_is_no_object_is_refused(folder, text):
    (folder / "config.json").write_text(text, encoding="latin-1")
    refused(folder, "config.json")


def test_truncated_weights_are_refused(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    refused(folder, "truncated")


def test_index_naming_an_absent_shard_is_refused(sharded):
    (sharded / "model-00002-of-00003.safetensors").unlink()
    refused(sharded, "model-00002-of-00003.safetensors: no such file")


def test_index_naming_a_tensor_the_shard_lacks_is_refused(sharded):
    index = read_index(sharded)
    write_index(sharded, index | {"model.extra": index[FIRST]})
    refused(sharded, "has no tensor model.extra")


@pytest.mark.parametrize("file", ["../outside.safetensors", "/etc/passwd", "", "..", 7])
def test_index_leading_out_of_the_folder_is_refused(sharded, file):
    write_index(sharded, read_index(sharded) | {FIRST: file})
    refused(sharded, "weight_map must name files of the folder")


@pytest.mark.parametrize("text", ["{", "{}", '{"weight_map": []}', "[]"])
def test_index_of_another_form_is_refused(sharded, text):
    (sharded / "model.safetensors.index.json").write_text(text)
    refused(sharded, "index.json: corrupt")


def test_absent_expert_tensor_is_named(folder):
    change_tensors(folder, lambda tensors: tensors.pop(FIRST))
    refused(folder, f"no tensor {FIRST}")


def test_layer_with_fewer_experts_than_the_others_is_refused(folder):
    def drop(tensors):
        for matrix in ("w1", "w2", "w3"):
            tensors.pop(f"model.layers.1.block_sparse_moe.experts.5.{matrix}.weight")

    change_tensors(folder, drop)
    refused(folder, "layers 0 and 1 have not the same number of experts")


def test_tensor_of_another_shape_than_the_config_says_is_named(folder):
    change_config(folder, intermediate_size=41)
    refused(folder, rf"tensor {FIRST} has shape \[40, 48\], the config makes it \[41, 48\]")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_local_experts": 8}, "config.json says 8 experts per layer, layer 0 has 6"),
        ({"num_hidden_layers": 4}, r"layers \[0, 1, 2, 3\] have experts"),
        ({"num_experts_per_tok": 7}, "7 experts per token, 6 in a layer"),
        ({"num_experts_per_tok": None}, "num_experts_per_tok or .* is missing"),
        ({"num_experts_per_tok": "two"}, "num_experts_per_tok must be a whole number"),
        ({"hidden_size": 0}, "hidden_size must be a whole number >= 1, got 0"),
        ({"hidden_size": True}, "hidden_size must be a whole number >= 1, got True"),
        ({"hidden_act": "tanhshrink"}, "hidden_act 'tanhshrink' is not served"),
    ],
)
def test_config_contradicting_the_tensors_is_refused(folder, fields, message):
    change_config(folder, **fields)
    refused(folder, message)


def test_dense_layers_of_the_config_must_be_dense_in_the_tensors(tmp_path):
    folder = build("deepseek_v3", tmp_path)
    change_config(folder, first_k_dense_replace=0)
    refused(folder, r"says that layers \[0, 1, 2\] have experts, .* in \[1, 2\]")


def test_layers_beyond_the_model_are_nobodys(tmp_path):
    """DeepSeek-V3 ships a further layer that predicts the token after next; it is not run."""
    folder = build("deepseek_v3", tmp_path)
    before = Checkpoint.open(folder).architecture
    extra = "model.layers.3.mlp.experts.0.down_proj.weight"
    norm = "model.layers.3.input_layernorm.weight"

    def add(tensors):
        tensors[extra] = tensors["model.layers.2.mlp.experts.0.down_proj.weight"]
        tensors[norm] = tensors["model.layers.2.input_layernorm.weight"]

    change_tensors(folder, add)
    after = Checkpoint.open(folder)
    assert after.architecture.layers == before.layers
    assert after.architecture.main_bytes == before.main_bytes
    assert after.is_expert_tensor(extra)
