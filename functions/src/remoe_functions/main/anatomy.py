"""What a loaded model's layers are made of, where its forward pass is one that we know by heart.

Known are classes, since a layer's children do not tell in which order they are used. Whatever is
not known exactly (another class, rotation, type, device) is a reason to leave the pass to
transformers. Knows nothing of how a step is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

# Rotations whose frequencies are the same for every position and company.
_FIXED_ROTATIONS = frozenset({"default", "linear", "llama3", "yarn"})
_DTYPES = frozenset({torch.bfloat16, torch.float32})


class UnknownAnatomyError(Exception):
    """A model whose forward pass is transformers' own matter; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What the classes of a family do that their modules do not show.

    Attributes:
        window: of a layer: how many latest tokens it attends to, or None for all.
        norms_whole: norms of queries and keys are over all heads together.
    """

    window: Callable[[PreTrainedConfig, int], int | None]
    norms_whole: bool = False


def _one_window(config: Any, layer: int) -> int | None:  # noqa: ANN401, ARG001
    window: int | None = config.sliding_window
    return window


def _window_by_layer(config: Any, layer: int) -> int | None:  # noqa: ANN401
    slides = config.layer_types[layer] == "sliding_attention"
    return _one_window(config, layer) if slides else None


def _no_window(config: Any, layer: int) -> None:  # noqa: ANN401, ARG001
    return None


# Layers of all of these: x + attention(norm(x)), then that + experts(norm(that)).
_MODELS = "transformers.models"
FAMILIES = {
    f"{_MODELS}.mixtral.modeling_mixtral.MixtralForCausalLM": Family(window=_one_window),
    f"{_MODELS}.qwen2_moe.modeling_qwen2_moe.Qwen2MoeForCausalLM": Family(window=_window_by_layer),
    f"{_MODELS}.qwen3_moe.modeling_qwen3_moe.Qwen3MoeForCausalLM": Family(window=_one_window),
    f"{_MODELS}.olmoe.modeling_olmoe.OlmoeForCausalLM": Family(window=_no_window, norms_whole=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One decoder layer.

    Attributes:
        norm: before attention, `next_norm` after it.
        attention: projections, their norms where it has some, and its scaling.
        feed_forward: the experts' block, or a dense network.
        router: chooses experts by softmax; None where `feed_forward` is dense.
        experts: the module behind transformers' experts interface, or None.
        shared: the expert that every row goes to, behind a gate of its own, or None.
        window: how many latest tokens are attended to, or None for all.
    """

    norm: Any
    next_norm: Any
    attention: Any
    feed_forward: Any
    router: Any | None
    experts: nn.Module | None
    shared: nn.Module | None
    window: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """A model in parts.

    Attributes:
        embedding: [vocabulary, hidden].
        rotation: module that gives cosines and sines of positions.
        layers: in order.
        norm: before the head.
        head: to the vocabulary.
        norms_whole: norms of queries and keys are over all heads together.
        clip: bound of queries, keys and values, or None.
    """

    embedding: torch.Tensor
    rotation: nn.Module
    layers: tuple[Layer, ...]
    norm: Any
    head: nn.Linear
    norms_whole: bool
    clip: float | None

    @property
    def dtype(self) -> torch.dtype:
        """Of all weights."""
        return self.embedding.dtype

    @property
    def hidden_size(self) -> int:
        return self.embedding.shape[1]


def anatomy_of(model: PreTrainedModel) -> Anatomy:
    """Take a model apart.

    Raises:
        UnknownAnatomyError: its forward pass is not one of those known here; says why.
    """
    kind = type(model)
    family = FAMILIES.get(f"{kind.__module__}.{kind.__qualname__}")
    if family is None:
        raise UnknownAnatomyError(f"{kind.__name__} is not one of the known architectures")
    _check_weights(model)
    body, config = model.model, model.config
    _check_rotation(body)
    return Anatomy(
        embedding=body.embed_tokens.weight,
        rotation=body.rotary_emb,
        layers=tuple(_layer(it, family.window(config, i)) for i, it in enumerate(body.layers)),
        norm=body.norm,
        head=model.lm_head,
        norms_whole=family.norms_whole,
        clip=getattr(config, "clip_qkv", None),
    )


def _layer(layer: Any, window: int | None) -> Layer:  # noqa: ANN401
    block = layer.mlp
    return Layer(
        norm=layer.input_layernorm,
        next_norm=layer.post_attention_layernorm,
        attention=layer.self_attn,
        feed_forward=block,
        router=getattr(block, "gate", None),
        experts=getattr(block, "experts", None),
        shared=getattr(block, "shared_expert", None),
        window=window,
    )


def _check_weights(model: PreTrainedModel) -> None:
    tensors = [*model.parameters()]
    kinds = {(tensor.device.type, tensor.dtype) for tensor in tensors}
    if len(kinds) != 1 or not kinds <= {("cpu", dtype) for dtype in _DTYPES}:
        found = ", ".join(sorted(f"{dtype} on {device}" for device, dtype in kinds))
        raise UnknownAnatomyError(f"weights must be of one type on the CPU, got {found}")
    if not all(tensor.is_contiguous() for tensor in tensors):
        raise UnknownAnatomyError("weights must be dense")
    if model.training:
        raise UnknownAnatomyError("the model is being trained")


def _check_rotation(body: Any) -> None:  # noqa: ANN401
    rotation = body.rotary_emb
    if rotation.rope_type not in _FIXED_ROTATIONS:
        raise UnknownAnatomyError(f"its rotation is {rotation.rope_type!r}")
    size = body.layers[0].self_attn.head_dim
    if 2 * len(rotation.inv_freq) != size:
        turned = 2 * len(rotation.inv_freq)
        raise UnknownAnatomyError(f"{turned} of {size} columns of a head are turned")
