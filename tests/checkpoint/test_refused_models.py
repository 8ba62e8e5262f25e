"""What is not understood is refused by name, never served wrongly."""

from __future__ import annotations

import json

import pytest
from builders.safetensors_files import entry, written

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.checkpoint.errors import UnsupportedModelError

MIXTRAL = {
    "architectures": ["MixtralForCausalLM"],
    "model_type": "mixtral",
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 1,
    "hidden_size": 4,
    "intermediate_size": 4,
}


def refusal_of(folder, config):
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UnsupportedModelError) as refusal:
        Checkpoint.open(folder)
    return str(refusal.value)


def test_unknown_architecture_is_named_with_the_list_of_what_is_served(tmp_path):
    config = MIXTRAL | {"architectures": ["Llama4ForCausalLM"], "model_type": "llama4_text"}
    message = refusal_of(tmp_path, config)
    assert "Llama4ForCausalLM (model_type 'llama4_text')" in message
    assert "mixtral" in message
    assert "qwen3_moe" in message


def test_dense_model_has_its_own_message(tmp_path):
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4}
    assert "is a dense model" in refusal_of(tmp_path, config)


@pytest.mark.parametrize("method", ["mxfp4", "fp8", "awq"])
def test_quantized_checkpoint_is_refused_by_its_method(tmp_path, method):
    message = refusal_of(tmp_path, MIXTRAL | {"quantization_config": {"quant_method": method}})
    assert f"quantized ({method})" in message


def test_quantized_experts_without_a_config_entry_are_refused(tmp_path):
    name = "model.layers.0.mlp.experts.gate_up_proj_blocks"
    written(tmp_path / "model.safetensors", {name: entry(0, 4, dtype="U8", shape=[4])}, b"\0" * 4)
    config = MIXTRAL | {"architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss"}
    assert name in refusal_of(tmp_path, config)


def test_eight_bit_weights_are_refused(tmp_path):
    stem = "model.layers.0.block_sparse_moe.experts.0"
    header = {
        f"{stem}.{matrix}.weight": entry(16 * i, 16 * i + 16, dtype="F8_E4M3", shape=[4, 4])
        for i, matrix in enumerate(("w1", "w2", "w3"))
    }
    written(tmp_path / "model.safetensors", header, b"\0" * 48)
    config = MIXTRAL | {"num_local_experts": 1, "num_experts_per_tok": 1}
    assert "is F8_E4M3; served are" in refusal_of(tmp_path, config)


def test_model_of_another_task_is_refused(tmp_path):
    config = MIXTRAL | {"architectures": ["MixtralForSequenceClassification"]}
    assert "MixtralForSequenceClassification" in refusal_of(tmp_path, config)


def test_served_type_without_any_expert_is_refused(tmp_path):
    written(tmp_path / "model.safetensors", {"model.norm.weight": entry(0, 16)}, b"\0" * 16)
    assert "no routed experts found" in refusal_of(tmp_path, MIXTRAL)


def test_experts_on_a_narrower_stream_are_refused(tmp_path):
    config = MIXTRAL | {"model_type": "nemotron_h", "moe_latent_size": 8}
    config |= {"architectures": ["NemotronHForCausalLM"]}
    assert "moe_latent_size 8" in refusal_of(tmp_path, config)
