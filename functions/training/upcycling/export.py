"""Learned routers and deltas to the file the demo model is assembled from."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from remoe_functions.demo_model.deltas import delta_name, gate_name
from upcycling.student import EXPERTS, Mixture


def export(mixtures: list[Mixture], path: Path) -> None:
    """Write bfloat16 tensors under the names `remoe_functions.demo_model.deltas` reads."""
    tensors: dict[str, Tensor] = {}
    for layer, mixture in enumerate(mixtures):
        tensors[gate_name(layer)] = _stored(mixture.gate)
        for projection, delta in mixture.deltas().items():
            tensors[delta_name(layer, projection, "out")] = _stored(_per_expert(delta.out).mT)
            tensors[delta_name(layer, projection, "in")] = _stored(_per_expert(delta.into))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)


def relative_size(mixtures: list[Mixture]) -> float:
    """Mean over all experts' matrices of the delta's norm, as a share of the dense one's."""
    shares = [
        (_per_expert(delta.out).mT @ _per_expert(delta.into)).flatten(1).norm(dim=-1)
        / mixture.dense_weight(projection).norm()
        for mixture in mixtures
        for projection, delta in mixture.deltas().items()
    ]
    return torch.cat(shares).mean().item()


def _per_expert(stacked: Tensor) -> Tensor:
    return stacked.detach().reshape(EXPERTS, -1, stacked.shape[-1])


def _stored(values: Tensor) -> Tensor:
    return values.detach().to(torch.bfloat16).contiguous()
