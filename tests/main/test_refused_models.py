"""A model that cannot be served truly is refused by name before it answers anything."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import torch
from builders.tiny_checkpoints import build
from safetensors.torch import load_file, save_file

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.errors import CheckpointError, UnsupportedModelError
from remoe_functions.checkpoint.ffn import Activation
from remoe_functions.main.directory import StaticDirectory
from remoe_functions.main.loading import load_config, load_model
from remoe_functions.main.seats import seat_experts
from remoe_functions.main.service import Service, ServiceOptions


def load(folder):
    return Service(ServiceOptions(model=folder), StaticDirectory({}), lambda _: None)


@pytest.fixture
def altered(checkpoint_of, tmp_path):
    """A copy of the tiny Mixtral whose tensors went through `change`."""

    def copy(change):
        folder = shutil.copytree(checkpoint_of("mixtral"), tmp_path / "altered")
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return folder

    return copy


@pytest.mark.parametrize(
    "architecture", ["minimax", "qwen3_next", "jamba", "lfm2_moe", "deepseek_v32", "glm_moe_dsa"]
)
def test_state_that_has_no_slots_is_refused_by_name(architecture, tmp_path):
    folder = build(architecture, tmp_path)
    name = json.loads((folder / "config.json").read_text())["architectures"][0]
    with pytest.raises(UnsupportedModelError, match=name):
        load(folder)


def test_missing_tensor_is_named(altered):
    name = "model.layers.1.self_attn.q_proj.weight"
    with pytest.raises(CheckpointError, match=f"missing: {name}"):
        load(altered(lambda tensors: tensors.pop(name)))


def test_tensor_that_the_model_does_not_use_is_named(altered):
    with pytest.raises(CheckpointError, match=r"not used by the model: .*q_proj.bias"):
        load(
            altered(
                lambda tensors: tensors.update(
                    {"model.layers.1.self_attn.q_proj.bias": torch.zeros(48)}
                )
            )
        )


def test_tensor_of_another_shape_is_named(altered):
    with pytest.raises(CheckpointError, match=r"of another shape: model.norm.weight"):
        load(altered(lambda tensors: tensors.update({"model.norm.weight": torch.ones(47)})))


@pytest.mark.parametrize(
    ("architecture", "change"),
    [
        ("mixtral", {"activation": Activation.GELU}),
        ("mixtral", {"activation": Activation.CLAMPED_SWIGLU, "limit": 7.0}),
        ("gpt_oss", {"limit": 6.0}),
        ("gpt_oss", {"alpha": 1.0}),
        ("gpt_oss", {"transposed": False}),
    ],
)
def test_experts_that_compute_otherwise_are_refused(architecture, change, checkpoint_of):
    checkpoint = Checkpoint.open(checkpoint_of(architecture))
    model = load_model(
        checkpoint,
        load_config(checkpoint.directory),
        dtype=torch.float32,
        device=torch.device("cpu"),
    )
    checkpoint.form = replace(checkpoint.form, **change)
    with pytest.raises(UnsupportedModelError, match=type(model).__name__):
        seat_experts(model, checkpoint, None)


def test_context_beyond_a_length_dependent_rope_is_refused():
    from transformers import MixtralConfig

    from remoe_functions.main.context import max_context

    rope = {
        "rope_type": "dynamic",
        "factor": 4.0,
        "rope_theta": 1e4,
        "original_max_position_embeddings": 128,
    }
    config = MixtralConfig(max_position_embeddings=512, rope_parameters=rope)
    assert max_context(config, None) == 128
    with pytest.raises(ValueError, match=r"max_context must be in 2\.\.128"):
        max_context(config, 512)
