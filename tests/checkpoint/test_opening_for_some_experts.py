"""A function opens a large model without reading what is none of its business."""

from __future__ import annotations

import json

import pytest
from builders.tiny_checkpoints import build
from safetensors.numpy import load_file, save_file

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.errors import CheckpointError
from remoe_planner.experts import ExpertId

MINE = (ExpertId(0, 1), ExpertId(0, 2))


def file_of(name):
    """Layer 0 in one file, the rest in another."""
    return "a.safetensors" if name.startswith("model.layers.0.") else "b.safetensors"


@pytest.fixture
def folder(tmp_path):
    """A model in two files."""
    folder = build("mixtral", tmp_path)
    whole = folder / "model.safetensors"
    tensors = load_file(whole)
    for file in {file_of(name) for name in tensors}:
        part = {name: tensor for name, tensor in tensors.items() if file_of(name) == file}
        save_file(part, folder / file)
    whole.unlink()
    index = {"weight_map": {name: file_of(name) for name in tensors}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def spoil(path):
    """Make its header no JSON; length and size stay."""
    data = bytearray(path.read_bytes())
    data[8:10] = b"xx"
    path.write_bytes(bytes(data))


def test_the_same_weights_and_revision_are_found(folder):
    whole, mine = Checkpoint.open(folder), Checkpoint.open(folder, MINE)
    assert mine.revision == whole.revision
    assert mine.hidden_size == whole.architecture.hidden_size
    for expert in MINE:
        pairs = zip(mine.expert(expert).tensors, whole.expert(expert).tensors, strict=True)
        assert all((ours.array == theirs.array).all() for ours, theirs in pairs)


def test_header_of_a_file_without_the_experts_is_not_read(folder):
    spoil(folder / "b.safetensors")
    mine = Checkpoint.open(folder, MINE)
    mine.read_ahead(MINE)
    assert mine.expert(MINE[0]).nbytes > 0
    with pytest.raises(CheckpointError, match=r"b\.safetensors: corrupt header"):
        Checkpoint.open(folder)


def test_damage_to_the_own_experts_is_told(folder):
    spoil(folder / "a.safetensors")
    with pytest.raises(CheckpointError, match=r"a\.safetensors: corrupt header"):
        Checkpoint.open(folder, MINE)


def test_tensor_that_the_index_only_promises_is_told(folder):
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    name = "model.layers.0.block_sparse_moe.experts.1.w1.weight"
    index["weight_map"][name] = "b.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"b\.safetensors: has no tensor"):
        Checkpoint.open(folder, MINE)


def test_unknown_experts_are_refused_when_they_are_asked_for(folder):
    mine = Checkpoint.open(folder, (ExpertId(99, 0),))
    with pytest.raises(CheckpointError, match="the model has no expert"):
        mine.expert(ExpertId(99, 0))
