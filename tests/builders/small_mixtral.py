"""A Mixtral of two layers with four experts each, a few kilobytes, written without torch."""

from __future__ import annotations

import json

import numpy as np
from safetensors.numpy import save_file

LAYERS, EXPERTS, HIDDEN, WIDTH, VOCABULARY = 2, 4, 8, 16, 32
CONFIG = {
    "architectures": ["MixtralForCausalLM"],
    "model_type": "mixtral",
    "hidden_act": "silu",
    "hidden_size": HIDDEN,
    "intermediate_size": WIDTH,
    "num_attention_heads": 2,
    "num_experts_per_tok": 2,
    "num_hidden_layers": LAYERS,
    "num_key_value_heads": 2,
    "num_local_experts": EXPERTS,
    "torch_dtype": "float32",
    "vocab_size": VOCABULARY,
}


def small_mixtral(folder, *, vocabulary=VOCABULARY, **fields):
    """Write it to a folder, which is made; `fields` go to its config."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | {"vocab_size": vocabulary} | fields))
    save_file(_tensors(vocabulary), folder / "model.safetensors")
    return folder


def _tensors(vocabulary):
    shapes = {
        "model.embed_tokens.weight": (vocabulary, HIDDEN),
        "lm_head.weight": (vocabulary, HIDDEN),
    }
    for layer in range(LAYERS):
        moe = f"model.layers.{layer}.block_sparse_moe"
        shapes[f"{moe}.gate.weight"] = (EXPERTS, HIDDEN)
        for expert in range(EXPERTS):
            shapes[f"{moe}.experts.{expert}.w1.weight"] = (WIDTH, HIDDEN)
            shapes[f"{moe}.experts.{expert}.w2.weight"] = (HIDDEN, WIDTH)
            shapes[f"{moe}.experts.{expert}.w3.weight"] = (WIDTH, HIDDEN)
    return {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
