"""The dense model inside a GGUF file, told in Hugging Face's names and layout.

Dequantization is elementwise NumPy, so every machine gets the same float32 weights.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from gguf import GGUFReader, GGUFValueType, ReaderTensor, dequantize

Float32: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]

_GLOBAL_NAMES = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
}
_LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The dimensions of a llama-architecture model, as its file states them."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    key_value_heads: int
    vocabulary: int
    context: int
    rope_theta: float
    norm_epsilon: float
    bos_token: int
    eos_token: int
    pad_token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What the file says of its byte-level BPE tokenizer."""

    tokens: list[str]
    merges: list[str]
    special_tokens: list[str]
    chat_template: str


class DenseModel:
    """Reads shape, tokenizer and weights of one GGUF file; weights one at a time, on demand."""

    def __init__(self, path: Path) -> None:
        self._reader = GGUFReader(path)
        self._tensors = {_name(tensor.name): tensor for tensor in self._reader.tensors}
        self.shape = self._read_shape()

    @property
    def names(self) -> list[str]:
        return sorted(self._tensors)

    def count(self, name: str) -> int:
        """Numbers in one tensor."""
        return math.prod(_rows_first(self._tensors[name]))

    def weight(self, name: str) -> Float32:
        """One tensor, dequantized, rows first as torch's Linear keeps them."""
        tensor = self._tensors[name]
        values = dequantize(tensor.data, tensor.tensor_type).reshape(_rows_first(tensor))
        heads = {"q_proj": self.shape.heads, "k_proj": self.shape.key_value_heads}
        projection = name.split(".")[-2]
        return _rotate_half(values, heads[projection]) if projection in heads else values

    def vocabulary(self) -> Vocabulary:
        tokens = self._field("tokenizer.ggml.tokens")
        types = self._field("tokenizer.ggml.token_type")
        control = 3  # llama.cpp's LLAMA_TOKEN_TYPE_CONTROL
        return Vocabulary(
            tokens=tokens,
            merges=self._field("tokenizer.ggml.merges"),
            special_tokens=[t for t, kind in zip(tokens, types, strict=True) if kind == control],
            chat_template=self._field("tokenizer.chat_template"),
        )

    def _read_shape(self) -> Shape:
        return Shape(
            layers=self._field("llama.block_count"),
            hidden=self._field("llama.embedding_length"),
            intermediate=self._field("llama.feed_forward_length"),
            heads=self._field("llama.attention.head_count"),
            key_value_heads=self._field("llama.attention.head_count_kv"),
            vocabulary=self._field("llama.vocab_size"),
            context=self._field("llama.context_length"),
            rope_theta=self._field("llama.rope.freq_base"),
            norm_epsilon=self._field("llama.attention.layer_norm_rms_epsilon"),
            bos_token=self._field("tokenizer.ggml.bos_token_id"),
            eos_token=self._field("tokenizer.ggml.eos_token_id"),
            pad_token=self._field("tokenizer.ggml.padding_token_id"),
        )

    def _field(self, key: str) -> Any:  # noqa: ANN401 -- numbers, texts and lists of them
        field = self._reader.fields[key]
        value = field.contents()
        # Stored as float32: 1e-5 would otherwise read as 9.999999747378752e-06.
        return float(f"{value:.7g}") if field.types == [GGUFValueType.FLOAT32] else value


def _name(gguf_name: str) -> str:
    if gguf_name in _GLOBAL_NAMES:
        return _GLOBAL_NAMES[gguf_name]
    match = re.fullmatch(r"blk\.(\d+)\.(\w+)\.weight", gguf_name)
    if match is None or match[2] not in _LAYER_NAMES:
        raise ValueError(f"unexpected tensor {gguf_name} in a llama-architecture GGUF file")
    return f"model.layers.{match[1]}.{_LAYER_NAMES[match[2]]}.weight"


def _rows_first(tensor: ReaderTensor) -> tuple[int, ...]:
    return tuple(int(size) for size in reversed(tensor.shape))


def _rotate_half(values: Float32, heads: int) -> Float32:
    """Undo llama.cpp's interleaving of the rotary pairs; Hugging Face rotates halves."""
    rows, columns = values.shape
    pairs = values.reshape(heads, rows // heads // 2, 2, columns)
    return np.ascontiguousarray(pairs.swapaxes(1, 2).reshape(rows, columns))
