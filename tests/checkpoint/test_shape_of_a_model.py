"""What a checkpoint tells the planner about its model."""

from __future__ import annotations

import shutil

import pytest
from builders.tiny_checkpoints import EXPERTS, HIDDEN, LAYERS, TOP_K, build
from safetensors.numpy import load_file, save_file

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.errors import CheckpointError
from remoe_planner.experts import ExpertId


def test_shape_is_read_from_config_and_tensors(mixtral):
    shape = Checkpoint.open(mixtral).architecture
    assert shape.layers == tuple(range(LAYERS))
    assert (shape.experts_per_layer, shape.top_k, shape.hidden_size) == (EXPERTS, TOP_K, HIDDEN)
    assert shape.expert_bytes == 3 * HIDDEN * 40 * 4
    assert shape.name == mixtral.name


@pytest.mark.parametrize("architecture", ["mixtral", "gpt_oss", "granitemoe"])
def test_main_and_experts_together_are_all_bytes(architecture, tmp_path):
    checkpoint = Checkpoint.open(build(architecture, tmp_path))
    total = sum(checkpoint.tensor(name).nbytes for name in checkpoint.names)
    assert checkpoint.architecture.total_bytes == total


def test_expert_tensors_are_told_from_shared_ones(tmp_path):
    checkpoint = Checkpoint.open(build("qwen2_moe", tmp_path))
    experts = {name for name in checkpoint.names if checkpoint.is_expert_tensor(name)}
    assert len(experts) == checkpoint.architecture.expert_count * 3
    assert not any("shared_expert" in name or "layers.0." in name for name in experts)


def test_revision_is_the_same_for_a_copy(mixtral, tmp_path):
    copy = shutil.copytree(mixtral, tmp_path / "elsewhere")
    revisions = {Checkpoint.open(folder).architecture.revision for folder in (mixtral, copy)}
    assert len(revisions) == 1


def test_revision_tells_other_weights_of_the_same_shape_apart(mixtral, tmp_path):
    other = build("mixtral", tmp_path, seed=1)
    revisions = {Checkpoint.open(folder).architecture.revision for folder in (mixtral, other)}
    assert len(revisions) == 2


def test_revision_tells_another_type_of_weights_apart(mixtral, tmp_path):
    other = build("mixtral", tmp_path, dtype="bfloat16")
    assert Checkpoint.open(other).expert(ExpertId(0, 0)).nbytes * 2 == (
        Checkpoint.open(mixtral).expert(ExpertId(0, 0)).nbytes
    )
    revisions = {Checkpoint.open(folder).architecture.revision for folder in (mixtral, other)}
    assert len(revisions) == 2


@pytest.mark.parametrize("expert", [ExpertId(LAYERS, 0), ExpertId(0, EXPERTS)])
def test_expert_the_model_lacks_is_refused(mixtral, expert):
    checkpoint = Checkpoint.open(mixtral)
    for use in (checkpoint.expert, checkpoint.touch, checkpoint.release):
        with pytest.raises(CheckpointError, match=f"no expert {expert}"):
            use(expert)


def test_tensor_the_checkpoint_lacks_is_refused(mixtral):
    with pytest.raises(CheckpointError, match="no tensor lm_tail"):
        Checkpoint.open(mixtral).tensor("lm_tail")


def test_array_outlives_its_tensor_and_the_checkpoint(mixtral):
    checkpoint = Checkpoint.open(mixtral)
    (name, *_) = checkpoint.names
    array = checkpoint.tensor(name).array
    wanted = array.copy()
    checkpoint.close()
    assert array.tobytes() == wanted.tobytes()


def test_closed_checkpoint_leaves_views_alive_and_opens_again(mixtral):
    checkpoint = Checkpoint.open(mixtral)
    view = checkpoint.tensor("model.norm.weight").array
    checkpoint.close()
    reopened = Checkpoint.open(mixtral)
    assert (view == reopened.tensor("model.norm.weight").array).all()


def test_no_descriptor_is_left_open(mixtral, tmp_path, fds):
    before = fds()
    for _ in range(3):
        Checkpoint.open(mixtral).close()
    assert fds() == before
    broken = shutil.copytree(mixtral, tmp_path / "broken")
    tensors = load_file(broken / "model.safetensors")
    tensors.pop("model.layers.0.block_sparse_moe.experts.0.w1.weight")
    save_file(tensors, broken / "model.safetensors")
    with pytest.raises(CheckpointError):
        Checkpoint.open(broken)
    assert fds() == before
