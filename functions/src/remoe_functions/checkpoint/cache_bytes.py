"""What the key-value cache takes for each token, by the config. The cache itself is main's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remoe_functions.checkpoint.config import layer_count, optional_positive

_VALUE_BYTES = {"float32": 4, "float64": 8}


def cache_bytes_per_token(config: Mapping[str, Any]) -> int:
    """Bytes of one token's keys and values in all layers; 0 where the config does not tell.

    Latent attention (DeepSeek's) keeps one compressed row and the part that turns with the
    position; other attention keeps a key and a value for each key-value head.

    Raises:
        CheckpointError: a field that counts something is no whole number >= 1.
    """
    value = _VALUE_BYTES.get(str(config.get("dtype") or config.get("torch_dtype")), 2)
    rank = optional_positive(config, "kv_lora_rank")
    if rank is not None:
        turning = optional_positive(config, "qk_rope_head_dim") or 0
        return _attention_layers(config) * (rank + turning) * value
    heads = optional_positive(config, "num_attention_heads")
    hidden = optional_positive(config, "hidden_size")
    if heads is None or hidden is None:
        return 0
    kept = optional_positive(config, "num_key_value_heads") or heads
    size = optional_positive(config, "head_dim") or hidden // heads
    return 2 * _attention_layers(config) * kept * size * value


def _attention_layers(config: Mapping[str, Any]) -> int:
    """Layers that keep keys and values: state-space and linear ones keep none for each token."""
    for field in ("layers_block_type", "layer_types"):
        kinds = config.get(field)
        if isinstance(kinds, list) and kinds:
            return sum("attention" in str(kind) and "linear" not in str(kind) for kind in kinds)
    return layer_count(config)
