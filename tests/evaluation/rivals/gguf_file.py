"""A Mixtral checkpoint as the GGUF file that llama.cpp reads: the same weights, its names.

    python tests/evaluation/rivals/gguf_file.py --model DIR --output FILE [--weights bf16|q8_0]

llama.cpp calls the architecture "llama", stacks a layer's experts, and turns neighboring pairs
where the checkpoint turns halves, so rows of queries and keys change places. Norms and routers
stay in float32, as its own converter keeps them. Run as a process: whoever compares need not hold
torch in memory for it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors import safe_open

Config = dict
DIGITS_THEN_BYTES = ["Digits", "ByteLevel"]
FLOAT32, BF16, Q8_0 = (getattr(gguf.GGMLQuantizationType, each) for each in ("F32", "BF16", "Q8_0"))


class Weights(StrEnum):
    """How matrices are kept."""

    BF16 = "bf16"
    Q8_0 = "q8_0"


def write_gguf(folder: Path, output: Path, weights: Weights = Weights.BF16) -> None:
    """Convert a checkpoint folder.

    Raises:
        ValueError: not a Mixtral, or its tokenizer is of a kind that has no known name there.
    """
    config = json.loads((folder / "config.json").read_text())
    if config["model_type"] != "mixtral":
        raise ValueError(f"model_type must be mixtral, got {config['model_type']}")
    writer = gguf.GGUFWriter(output, "llama", use_temp_file=True)
    add_shape(writer, config)
    add_tokenizer(writer, folder, config["vocab_size"])
    for name, tensor in tensors(Checkpoint(folder), config):
        add_tensor(writer, name, tensor, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_shape(writer: gguf.GGUFWriter, config: Config) -> None:
    """The architecture in llama.cpp's words."""
    heads = config["num_attention_heads"]
    head_size = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_rope_dimension_count(head_size)
    writer.add_rope_freq_base((config.get("rope_parameters") or config)["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_expert_count(config["num_local_experts"])
    writer.add_expert_used_count(config["num_experts_per_tok"])


def add_tokenizer(writer: gguf.GGUFWriter, folder: Path, vocabulary: int) -> None:
    """Tokens, merges, special ones and the chat template."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pretokenizer_name(tokenizer))
    names = {index: token for token, index in tokenizer["model"]["vocab"].items()}
    special = {each["id"]: each["content"] for each in tokenizer["added_tokens"]}
    names |= special
    writer.add_token_list([names.get(index, f"[PAD{index}]") for index in range(vocabulary)])
    writer.add_token_types([token_type(index, names, special) for index in range(vocabulary)])
    gguf.SpecialVocab(folder, load_merges=True).add_to_gguf(writer)
    writer.add_add_bos_token(False)


def pretokenizer_name(tokenizer: dict) -> str:
    """What llama.cpp calls the cutting of text before merges."""
    cutting = tokenizer["pre_tokenizer"]
    kinds = [each["type"] for each in cutting.get("pretokenizers", [cutting])]
    if kinds != DIGITS_THEN_BYTES:
        raise ValueError(f"pre_tokenizer must be {DIGITS_THEN_BYTES}, got {kinds}")
    return "smollm"


def token_type(index: int, names: dict[int, str], special: dict[int, str]) -> gguf.TokenType:
    if index in special:
        return gguf.TokenType.CONTROL
    return gguf.TokenType.NORMAL if index in names else gguf.TokenType.UNUSED


class Checkpoint:
    """Tensors of a folder by name, whichever file holds them."""

    def __init__(self, folder: Path) -> None:
        self._files = [safe_open(file, "pt") for file in sorted(folder.glob("*.safetensors"))]
        self._home = {name: file for file in self._files for name in file.keys()}  # noqa: SIM118

    def __contains__(self, name: str) -> bool:
        return name in self._home

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._home[name].get_tensor(name)


def tensors(checkpoint: Checkpoint, config: Config) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor under its name in the file; a tied head is left out, as it is read twice."""
    yield "token_embd.weight", checkpoint["model.embed_tokens.weight"]
    yield "output_norm.weight", checkpoint["model.norm.weight"]
    if "lm_head.weight" in checkpoint:
        yield "output.weight", checkpoint["lm_head.weight"]
    for layer in range(config["num_hidden_layers"]):
        yield from attention(checkpoint, config, layer)
        yield from experts(checkpoint, config, layer)


def attention(
    checkpoint: Checkpoint, config: Config, layer: int
) -> Iterator[tuple[str, torch.Tensor]]:
    """Norms and projections of a layer."""
    theirs, ours = f"blk.{layer}", f"model.layers.{layer}"
    query, key, value, output = (
        checkpoint[f"{ours}.self_attn.{letter}_proj.weight"] for letter in "qkvo"
    )
    yield f"{theirs}.attn_norm.weight", checkpoint[f"{ours}.input_layernorm.weight"]
    yield f"{theirs}.attn_q.weight", paired(query, config["num_attention_heads"])
    yield f"{theirs}.attn_k.weight", paired(key, config["num_key_value_heads"])
    yield f"{theirs}.attn_v.weight", value
    yield f"{theirs}.attn_output.weight", output
    yield f"{theirs}.ffn_norm.weight", checkpoint[f"{ours}.post_attention_layernorm.weight"]


def experts(
    checkpoint: Checkpoint, config: Config, layer: int
) -> Iterator[tuple[str, torch.Tensor]]:
    """The router and the stacked matrices of a layer's experts."""
    theirs, ours = f"blk.{layer}", f"model.layers.{layer}.block_sparse_moe"
    yield f"{theirs}.ffn_gate_inp.weight", checkpoint[f"{ours}.gate.weight"]
    for matrix, name in {"w1": "gate", "w2": "down", "w3": "up"}.items():
        stack = [
            checkpoint[f"{ours}.experts.{expert}.{matrix}.weight"]
            for expert in range(config["num_local_experts"])
        ]
        yield f"{theirs}.ffn_{name}_exps.weight", torch.stack(stack)


def paired(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows of each head with the i-th of its first and second half side by side."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def add_tensor(writer: gguf.GGUFWriter, name: str, tensor: torch.Tensor, weights: Weights) -> None:
    if tensor.ndim == 1 or "ffn_gate_inp" in name:
        writer.add_tensor(name, tensor.float().numpy(), raw_dtype=FLOAT32)
    elif weights is Weights.Q8_0:
        blocks = gguf.quants.quantize(tensor.float().numpy(), Q8_0)
        writer.add_tensor(name, blocks, raw_dtype=Q8_0)
    else:
        whole = tensor.to(torch.bfloat16).contiguous()
        writer.add_tensor(name, np.ascontiguousarray(whole.view(torch.uint8)), raw_dtype=BF16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="checkpoint folder")
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    parser.add_argument("--weights", type=Weights, default=Weights.BF16, choices=list(Weights))
    options = parser.parse_args()
    write_gguf(options.model, options.output, options.weights)


if __name__ == "__main__":
    main()
