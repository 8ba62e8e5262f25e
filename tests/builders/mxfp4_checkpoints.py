"""A tiny GPT-OSS checkpoint with MXFP4 experts, packed here by the format's description.

OCP Microscaling v1.0: 32 weights share an exponent (E8M0, 2^(e - 127)); a weight has a sign, two
bits of exponent and one of mantissa; two to a byte, the first one low.
"""

from __future__ import annotations

import json

import numpy as np
import torch
from builders.tiny_checkpoints import build
from safetensors.torch import load_file, save_file

MAGNITUDES = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)
SIZES = {"hidden_size": 64, "intermediate_size": 96, "num_local_experts": 4}


def packed(weights):
    """(blocks [..., count, 16], scales [..., count]) of weights [..., 32 * count]."""
    blocks = weights.astype(np.float32).reshape(*weights.shape[:-1], -1, 32)
    peak = np.abs(blocks).max(axis=-1, keepdims=True)
    exponent = np.floor(np.log2(np.maximum(peak, 1e-30))) - 2
    ratio = np.abs(blocks) / 2.0**exponent
    codes = np.abs(ratio[..., None] - MAGNITUDES).argmin(axis=-1) + 8 * (blocks < 0)
    pairs = codes[..., 0::2] | (codes[..., 1::2] << 4)
    return pairs.astype(np.uint8), (exponent[..., 0] + 127).astype(np.uint8)


def build_mxfp4(directory, *, seed=0, **fields):
    """A checkpoint as GPT-OSS is published: bfloat16, experts [out, in] in MXFP4."""
    folder = build("gpt_oss", directory, seed=seed, dtype="bfloat16", **(SIZES | fields))
    tensors = load_file(folder / "model.safetensors")
    for name in [name for name in tensors if name.endswith(("gate_up_proj", "down_proj"))]:
        matrix = tensors.pop(name).float().transpose(-1, -2).numpy()  # held as [in, out]
        blocks, scales = packed(matrix)
        tensors[f"{name}_blocks"] = torch.from_numpy(np.ascontiguousarray(blocks))
        tensors[f"{name}_scales"] = torch.from_numpy(np.ascontiguousarray(scales))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def dequantized(folder, directory):
    """The same checkpoint in plain bfloat16, by transformers' own dequantization."""
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors

    tensors = load_file(folder / "model.safetensors")
    for name in [name for name in tensors if name.endswith("_blocks")]:
        stem = name.removesuffix("_blocks")
        blocks, scales = tensors.pop(name), tensors.pop(f"{stem}_scales")
        tensors[stem] = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
    directory.mkdir(parents=True, exist_ok=True)
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config.pop("quantization_config")
    (directory / "config.json").write_text(json.dumps(config))
    return directory
