"""Tiny random checkpoints of every served architecture, written by transformers' own classes.

`save_pretrained` writes the names that published checkpoints have. Weights are scaled so that
logits lie well apart (greedy tokens do not hang on the last bit) and biases are not zero.
"""

from __future__ import annotations

from pathlib import Path

import torch
import transformers

HIDDEN, LAYERS, EXPERTS, TOP_K, VOCAB = 48, 3, 6, 2, 128

# What README promises by name; more come free.
REQUIRED = (
    "mixtral",
    "qwen2_moe",
    "qwen3_moe",
    "deepseek_v2",
    "deepseek_v3",
    "olmoe",
    "gpt_oss",
    "granitemoe",
    "phimoe",
)

_BASE = {
    "vocab_size": VOCAB,
    "hidden_size": HIDDEN,
    "intermediate_size": 40,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_experts_per_tok": TOP_K,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "tie_word_embeddings": False,
    "head_dim": 12,
}
_SMALL = {"moe_intermediate_size": 32}
_DENSE_FIRST = _SMALL | {"first_k_dense_replace": 1, "n_routed_experts": EXPERTS}
_GROUPED = {"n_group": 2, "topk_group": 1, "n_shared_experts": 1}
_LATENT = {
    "q_lora_rank": 24,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "v_head_dim": 12,
    "num_key_value_heads": 4,
    "head_dim": 8,
}
_INDEXER = {"index_n_heads": 2, "index_head_dim": 16, "index_topk": 16}
_LOCAL = {"num_local_experts": EXPERTS}
_PLAIN = {"num_experts": EXPERTS}
_SPARSE_MIDDLE = ["dense", "sparse", "sparse"]

ARCHITECTURES: dict[str, tuple[str, dict]] = {
    "mixtral": ("Mixtral", _LOCAL),
    "phimoe": ("Phimoe", _LOCAL | {"attention_bias": True, "lm_head_bias": True}),
    "qwen2_moe": (
        "Qwen2Moe",
        _SMALL | _PLAIN | {"shared_expert_intermediate_size": 40, "mlp_only_layers": [0]},
    ),
    "qwen3_moe": ("Qwen3Moe", _SMALL | _LOCAL | {"norm_topk_prob": True}),
    "deepseek_v2": ("DeepseekV2", _DENSE_FIRST | _LATENT | {"n_shared_experts": 1}),
    "deepseek_v3": ("DeepseekV3", _DENSE_FIRST | _LATENT | _GROUPED),
    "olmoe": ("Olmoe", _PLAIN),
    "gpt_oss": ("GptOss", _LOCAL | {"sliding_window": 32}),
    "granitemoe": ("GraniteMoe", _LOCAL),
    "granitemoeshared": ("GraniteMoeShared", _LOCAL | {"shared_intermediate_size": 40}),
    "minimax": ("MiniMax", _LOCAL | {"block_size": 16}),
    "minimax_m2": ("MiniMaxM2", _LOCAL),
    "dots1": ("Dots1", _DENSE_FIRST | _GROUPED),
    "glm4_moe": ("Glm4Moe", _DENSE_FIRST | _GROUPED),
    "glm4_moe_lite": (
        "Glm4MoeLite",
        _SMALL
        | _LATENT
        | _GROUPED
        | {"n_routed_experts": EXPERTS, "mlp_layer_types": _SPARSE_MIDDLE},
    ),
    "ernie4_5_moe": (
        "Ernie4_5_Moe",
        _SMALL
        | {
            "moe_num_experts": EXPERTS,
            "moe_k": TOP_K,
            "moe_layer_start_index": 1,
            "moe_num_shared_experts": 1,
        },
    ),
    "exaone_moe": ("ExaoneMoe", _SMALL | _PLAIN | _GROUPED | {"mlp_layer_types": _SPARSE_MIDDLE}),
    "flex_olmo": ("FlexOlmo", _PLAIN),
    "hunyuan_v1_moe": ("HunYuanMoEV1", _PLAIN | {"moe_topk": TOP_K}),
    "cohere2_moe": ("Cohere2Moe", _PLAIN | {"mlp_layer_types": _SPARSE_MIDDLE}),
    "qwen3_next": ("Qwen3Next", _SMALL | _PLAIN | {"shared_expert_intermediate_size": 40}),
    "qwen3_5_moe_text": ("Qwen3_5Moe", _SMALL | _PLAIN | {"shared_expert_intermediate_size": 40}),
    "solar_open": ("SolarOpen", _DENSE_FIRST | _GROUPED),
    "deepseek_v32": (
        "DeepseekV32",
        _SMALL
        | _LATENT
        | _GROUPED
        | _INDEXER
        | {"n_routed_experts": EXPERTS, "mlp_layer_types": _SPARSE_MIDDLE},
    ),
    "glm_moe_dsa": (
        "GlmMoeDsa",
        _SMALL
        | _LATENT
        | _GROUPED
        | _INDEXER
        | {"n_routed_experts": EXPERTS, "mlp_layer_types": _SPARSE_MIDDLE},
    ),
    "granitemoehybrid": (
        "GraniteMoeHybrid",
        _LOCAL
        | {
            "shared_intermediate_size": 40,
            "layer_types": ["attention"] * LAYERS,
            "mamba_n_heads": 4,
        },
    ),
    "mellum": ("Mellum", _SMALL | _PLAIN),
    "afmoe": ("Afmoe", _SMALL | _PLAIN | {"num_dense_layers": 1}),
    "lfm2_moe": (
        "Lfm2Moe",
        _SMALL
        | _PLAIN
        | {"num_dense_layers": 1, "layer_types": ["conv", "full_attention", "conv"]},
    ),
    "jamba": (
        "Jamba",
        _PLAIN | {"expert_layer_period": 2, "expert_layer_offset": 1, "use_mamba_kernels": False},
    ),
    "nemotron_h": (
        "NemotronH",
        _SMALL
        | {
            "n_routed_experts": EXPERTS,
            "layers_block_type": ["attention", "moe", "moe"],
            "mamba_num_heads": 4,
            "mamba_head_dim": 12,
        },
    ),
}


def build(architecture: str, directory: Path, *, seed: int = 0, dtype: str = "float32", **fields):
    """Write a tiny checkpoint of a model type and return its folder; `fields` go to its config."""
    name, own = ARCHITECTURES[architecture]
    config_class = getattr(transformers, f"{name}TextConfig", None) or getattr(
        transformers, f"{name}Config"
    )
    config = config_class(**(_BASE | own | fields))
    torch.manual_seed(seed)
    model = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    _scatter(model)
    model.to(getattr(torch, dtype)).save_pretrained(directory)
    return directory


@torch.no_grad()
def _scatter(model: torch.nn.Module) -> None:
    """Fresh weights: matrices that keep a row's size, biases and corrections small but not 0."""
    for name, parameter in model.named_parameters():
        if parameter.ndim >= 2:
            fan = parameter.shape[-2] if "transposed" in name else parameter.shape[-1]
            parameter.normal_(0.0, 1.5 / fan**0.5)
        elif "bias" in name:
            parameter.normal_(0.0, 0.2)
