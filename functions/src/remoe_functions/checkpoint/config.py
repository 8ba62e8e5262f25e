"""What a model's `config.json` says of its shape, under the many names its fields have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from remoe_functions.checkpoint.errors import CheckpointError, UnsupportedModelError
from remoe_functions.checkpoint.files import CONFIG_FILE

EXPERT_COUNT_FIELDS = ("num_local_experts", "n_routed_experts", "moe_num_experts", "num_experts")
TOP_K_FIELDS = ("num_experts_per_tok", "num_experts_per_token", "moe_k", "moe_topk")
DENSE_PREFIX_FIELDS = ("first_k_dense_replace", "num_dense_layers")


def read_config(directory: Path) -> Mapping[str, Any]:
    """The config of a checkpoint folder.

    Raises:
        CheckpointError: the folder or the file is missing, or the file is not a JSON object.
    """
    if not directory.is_dir():
        raise CheckpointError(f"{directory}: no such folder")
    path = directory / CONFIG_FILE
    try:
        config = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path}: must be a JSON object, got {type(config).__name__}")
    return config


def positive(config: Mapping[str, Any], *fields: str) -> int:
    """The first of these fields that is there, a whole number >= 1.

    Raises:
        CheckpointError: none is there, or the first is not such a number.
    """
    value = optional_positive(config, *fields)
    if value is None:
        raise CheckpointError(f"config.json: {' or '.join(fields)} is missing")
    return value


def optional_positive(config: Mapping[str, Any], *fields: str) -> int | None:
    """As `positive`, but None where none of the fields is there."""
    for field in fields:
        value = _single(field, config.get(field))
        if value is None:
            continue
        if type(value) is not int or value < 1:
            raise CheckpointError(
                f"config.json: {field} must be a whole number >= 1, got {value!r}"
            )
        return value
    return None


def _single(field: str, value: object) -> object:
    """Some configs hold a list, one entry per layer: served where all are equal."""
    if not isinstance(value, list) or not value:
        return value
    if any(entry != value[0] for entry in value):
        raise UnsupportedModelError(f"config.json: {field} differs between layers: {value}")
    return value[0]


def layer_count(config: Mapping[str, Any]) -> int:
    """Decoder layers of the model.

    Raises:
        CheckpointError: the config does not say, or says nonsense.
    """
    blocks = config.get("layers_block_type")
    if isinstance(blocks, list) and blocks:
        return len(blocks)
    return positive(config, "num_hidden_layers")


def expected_layers(config: Mapping[str, Any]) -> tuple[int, ...]:
    """The decoder layers that should have routed experts, by the fields on dense layers.

    Raises:
        CheckpointError: such a field is of the wrong type.
    """
    kinds = config.get("mlp_layer_types")
    layers = range(layer_count(config))
    if isinstance(kinds, list):
        return tuple(layer for layer in layers if kinds[layer : layer + 1] == ["sparse"])
    try:
        return tuple(layer for layer in layers if _has_experts(config, layer))
    except (TypeError, ZeroDivisionError) as error:
        raise CheckpointError(f"config.json: fields on dense layers are wrong: {error}") from error


def _has_experts(config: Mapping[str, Any], layer: int) -> bool:
    dense_prefix = max(config.get(field) or 0 for field in DENSE_PREFIX_FIELDS)
    return (
        layer >= dense_prefix
        and layer not in (config.get("mlp_only_layers") or ())
        and _comes_round(config, layer)
        and _in_interval(config, layer)
        and _block_has_experts(config, layer)
    )


def _comes_round(config: Mapping[str, Any], layer: int) -> bool:
    """Qwen's and Jamba's rules: every n-th layer."""
    step, period = config.get("decoder_sparse_step", 1), config.get("expert_layer_period", 1)
    offset = config.get("expert_layer_offset", 0)
    return bool((layer + 1) % step == 0 and (layer - offset) % period == 0)


def _in_interval(config: Mapping[str, Any], layer: int) -> bool:
    """Ernie's rule: every n-th layer from a first to a last, -1 meaning the model's last."""
    last = config.get("moe_layer_end_index", -1)
    in_turn = (layer + 1) % config.get("moe_layer_interval", 1) == 0
    in_range = layer >= config.get("moe_layer_start_index", 0) and (last < 0 or layer <= last)
    return bool(in_turn and in_range)


def _block_has_experts(config: Mapping[str, Any], layer: int) -> bool:
    """Nemotron-H's rule: each layer is one block, and only some are of experts."""
    kinds = config.get("layers_block_type")
    return not isinstance(kinds, list) or "moe" not in kinds or kinds[layer] == "moe"
