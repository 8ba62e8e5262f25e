"""Watching a layer's inputs and a router's choices while the model reads."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaForCausalLM, MixtralForCausalLM

from upcycling.batches import Batch


def ffn_inputs(model: LlamaForCausalLM, batches: Sequence[Batch], tokens: int) -> list[Tensor]:
    """For each layer what its FFN, and so its gate, sees of about so many real tokens."""
    seen: list[list[Tensor]] = [[] for _ in model.model.layers]
    where = torch.empty(0)

    def keep(layer: int, hidden: Tensor) -> None:
        seen[layer].append(hidden[where].float())

    hooks = [
        layer.mlp.register_forward_pre_hook(lambda _, inputs, index=index: keep(index, inputs[0]))
        for index, layer in enumerate(model.model.layers)
    ]
    for batch in batches:
        where = batch.real
        with torch.inference_mode():
            model.model(batch.tokens)
        if sum(len(part) for part in seen[0]) >= tokens:
            break
    for hook in hooks:
        hook.remove()
    return [torch.cat(parts) for parts in seen]


def frequencies(model: MixtralForCausalLM, batches: Sequence[Batch]) -> Tensor:
    """Each sample's share of every expert [samples, layers, experts] over its real tokens."""
    chosen: list[Tensor] = []
    experts = model.config.num_local_experts
    hooks = [
        layer.mlp.gate.register_forward_hook(lambda _m, _i, output: chosen.append(output[2]))
        for layer in model.model.layers
    ]
    rows = []
    for batch in batches:
        chosen.clear()
        with torch.inference_mode():
            model.model(batch.tokens)
        picked = functional.one_hot(torch.stack(chosen), experts).sum(dim=-2)
        by_sample = picked.reshape(len(picked), *batch.tokens.shape, experts)
        rows.append(_shares(by_sample, batch.real))
    for hook in hooks:
        hook.remove()
    return torch.cat(rows)


def signatures(embedding: nn.Embedding, batches: Sequence[Batch]) -> Tensor:
    """Each sample's sum of unit token embeddings over its real tokens."""
    rows = []
    for batch in batches:
        unit = functional.normalize(embedding.weight[batch.tokens].float(), dim=-1)
        rows.append((unit * batch.real[..., None]).sum(dim=1))
    return torch.cat(rows)


def _shares(picked: Tensor, real: Tensor) -> Tensor:
    """Shares out of choices [layers, samples, positions, experts]."""
    counts = (picked * real[None, ..., None]).sum(dim=2).transpose(0, 1).float()
    return counts / counts.sum(dim=-1, keepdim=True)
