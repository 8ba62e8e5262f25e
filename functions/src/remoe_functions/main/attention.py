"""How transformers' attention is told that every row of a batch has its own length.

A model makes its masks itself, once a pass, from a rule (causal, sliding, chunked, ...) that
transformers passes to the registered mask function. The rules are arithmetic on positions, so
they are evaluated here at each row's own position, and no architecture needs a case of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask, sdpa_mask

from remoe_functions.main.decode_attention import attend

SDPA = "remoe_sdpa"
EAGER = "remoe_eager"


def use_ragged_attention(model: PreTrainedModel) -> None:
    """Make a model's attention take `SlotCache` batches: its fused kernel or its own code."""
    AttentionInterface.register(SDPA, attend)
    AttentionInterface.register(EAGER, _own_attention)
    AttentionMaskInterface.register(SDPA, ragged_mask)
    AttentionMaskInterface.register(EAGER, ragged_additive_mask)
    model.set_attn_implementation(SDPA if model._supports_sdpa else EAGER)  # noqa: SLF001


def ragged_mask(
    *,
    batch_size: int,
    q_length: int,
    kv_length: int,
    q_offset: int | torch.Tensor,
    kv_offset: int,
    mask_function: Callable[..., torch.Tensor],
    device: torch.device,
    **kwargs: Any,  # noqa: ANN401
) -> torch.Tensor | None:
    """A mask [rows, 1, new tokens, tokens], True where attended, or None where all is.

    `q_offset` is what `SlotCache.get_query_offset` says: with an int this is transformers' own
    mask, with a position per row the same rule at those positions.
    """
    if not isinstance(q_offset, torch.Tensor):
        mask: torch.Tensor | None = sdpa_mask(
            batch_size=batch_size,
            q_length=q_length,
            kv_length=kv_length,
            q_offset=q_offset,
            kv_offset=kv_offset,
            mask_function=mask_function,
            device=device,
            **kwargs,
        )
        return mask
    rows = torch.arange(batch_size, device=device)[:, None, None, None]
    queries = q_offset.to(device)[:, None, :, None]
    keys = torch.arange(kv_length, device=device)[None, None, None, :] + kv_offset
    return mask_function(rows, 0, queries, keys).expand(batch_size, -1, q_length, kv_length)


def ragged_additive_mask(
    *,
    q_offset: int | torch.Tensor,
    dtype: torch.dtype,
    **kwargs: Any,  # noqa: ANN401
) -> torch.Tensor:
    """The same as an additive mask: 0 where attended, the lowest number elsewhere."""
    if not isinstance(q_offset, torch.Tensor):
        mask: torch.Tensor = eager_mask(q_offset=q_offset, dtype=dtype, **kwargs)
        return mask
    attended = ragged_mask(q_offset=q_offset, **kwargs)
    if attended is None:
        raise ValueError("rows of their own lengths cannot go without a mask")
    return torch.where(attended, 0.0, torch.finfo(dtype).min).to(dtype)


def _own_attention(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
    """The attention that the model's own file defines, for models with additions to softmax."""
    own = sys.modules[type(module).__module__].eager_attention_forward
    return own(module, *args, **kwargs)
