"""Attention of one new token per row on the CPU, as two products and a softmax.

Torch's fused kernel is made for many queries: with one it takes 7 times as long at 512 tokens and
17 times at 4,096 (bfloat16, measured). The arithmetic is transformers' "eager": scores in the
model's type, the softmax in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.integrations.sdpa_attention import sdpa_attention_forward


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    **kwargs: Any,  # noqa: ANN401
) -> tuple[torch.Tensor, None]:
    """What transformers' attention interface asks for; all but decode on the CPU is torch's.

    Args:
        module: the attention module.
        query: [rows, heads, new tokens, size].
        key: [rows, key heads, tokens, size].
        value: [rows, key heads, tokens, value size].
        attention_mask: None, or [rows or 1, heads or 1, new tokens, tokens]: bool, True where
            attended, or numbers to add to the scores.
        scaling: of the scores; 1/sqrt(size) where None.
        kwargs: transformers' own; of these, what bends scores is left to torch.

    Returns:
        [rows, new tokens, heads, value size], and no weights.
    """
    bent = any(kwargs.get(name) is not None for name in ("position_bias", "cache", "softcap"))
    if query.shape[2] != 1 or query.device.type != "cpu" or bent:
        found: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
        return found
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return _attend_one(query, key, value, attention_mask, scale), None


def _attend_one(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scale: float,
) -> torch.Tensor:
    rows, heads, _, size = query.shape
    # The query heads that share a key head become rows of one product.
    shared = query.reshape(rows, key.shape[1], heads // key.shape[1], size)
    scores = torch.matmul(shared, key.transpose(2, 3)).mul_(scale)
    if mask is not None:
        _apply(mask, scores)
    weights = torch.softmax(scores, dim=-1, dtype=torch.float32).to(value.dtype)
    return torch.matmul(weights, value).reshape(rows, 1, heads, value.shape[-1])


def _apply(mask: torch.Tensor, scores: torch.Tensor) -> None:
    """Put a mask on scores [rows, key heads, heads of each, tokens], in place."""
    if mask.shape[1] != 1:
        mask = mask.reshape(mask.shape[0], *scores.shape[1:3], mask.shape[-1])
    if mask.dtype == torch.bool:
        scores.masked_fill_(~mask, -torch.inf)
    else:
        scores.add_(mask)
