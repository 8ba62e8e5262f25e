"""What is measured of an upcycled model: how well it predicts, and how its routing behaves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from upcycling.batches import Batch


def perplexity(model: torch.nn.Module, batches: Sequence[Batch], *, own: bool) -> float:
    """Of the held-out text, or of the dense model's own answers to held-out prompts."""
    total, count = 0.0, 0
    for batch in batches:
        mine = batch.own_answer[:, 1:]
        where = mine if own else batch.real[:, 1:] & ~mine
        with torch.inference_mode():
            logits = model(batch.tokens).logits[:, :-1][where].float()
        total += functional.cross_entropy(logits, batch.targets[where], reduction="sum").item()
        count += int(where.sum())
    return math.exp(total / count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergences:
    """Mean Jensen-Shannon divergence, base 2, of three forecasts from a prompt's real routing."""

    similar: float
    mean: float
    uniform: float


def divergences(
    history: Tensor, history_signatures: Tensor, real: Tensor, signatures: Tensor, *, similar: int
) -> Divergences:
    """Forecasts for frequencies [prompts, layers, experts] from those of other prompts.

    Signatures are sums of unit token embeddings, whose cosine is Remoe's soft cosine.
    """
    cosine = functional.normalize(signatures, dim=-1) @ functional.normalize(history_signatures).T
    nearest = cosine.topk(similar, dim=-1).indices
    return Divergences(
        similar=_divergence(history[nearest].mean(dim=1), real),
        mean=_divergence(history.mean(dim=0).expand_as(real), real),
        uniform=_divergence(torch.full_like(real, 1 / real.shape[-1]), real),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """How unevenly experts are used, by all prompts together and by one prompt in one layer."""

    busiest_share: float
    idlest_share: float
    rare_per_prompt: float
    unused_per_prompt: float
    top_two_share_per_prompt: float


def skew(frequencies: Tensor, *, rare: float) -> Skew:
    """Of frequencies [prompts, layers, experts]; an expert below the rare share is rarely used."""
    overall = frequencies.mean(dim=0)
    return Skew(
        busiest_share=overall.amax(dim=-1).mean().item(),
        idlest_share=overall.amin(dim=-1).mean().item(),
        rare_per_prompt=(frequencies < rare).sum(dim=-1).float().mean().item(),
        unused_per_prompt=(frequencies == 0).sum(dim=-1).float().mean().item(),
        top_two_share_per_prompt=frequencies.topk(2, dim=-1).values.sum(dim=-1).mean().item(),
    )


def _divergence(forecast: Tensor, real: Tensor) -> float:
    middle = (forecast + real) / 2
    halves = _entropy(middle) - (_entropy(forecast) + _entropy(real)) / 2
    return halves.mean().item()


def _entropy(frequencies: Tensor) -> Tensor:
    return -torch.xlogy(frequencies, frequencies).sum(dim=-1) / math.log(2)
