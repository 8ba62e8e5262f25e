"""A decoder layer for one new token a slot: attention in native code, experts by their seat.

Shared experts and dense networks, which few layers have, are the model's own modules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from remoe_functions.kernel.attention import (
    Attention,
    Matrices,
    NewTokens,
    Outcome,
    Routing,
    Slots,
)
from remoe_functions.kernel.layout import Format
from remoe_functions.kernel.machine import InstructionSet
from remoe_functions.kernel.norm import NO_NORM, Norm
from remoe_functions.kernel.stretch import Block
from remoe_functions.main.anatomy import Anatomy, Layer
from remoe_functions.main.seats import Seat, seat_of

FORMATS = {torch.bfloat16: Format.BF16, torch.float32: Format.F32}


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What native code computes with."""

    threads: int
    instructions: InstructionSet


class WideTensors:
    """Norms' weights and biases in float32, copied where they are not, and kept for native code."""

    def __init__(self) -> None:
        self._kept: list[torch.Tensor] = []

    def address_of(self, tensor: torch.Tensor | None) -> int:
        """Where it lies in float32; 0 for none."""
        if tensor is None:
            return 0
        self._kept.append(tensor.detach().float().contiguous())
        return self._kept[-1].data_ptr()

    def norm(self, module: Any | None) -> Norm:  # noqa: ANN401
        """A norm of the model; none where it has none."""
        if module is None:
            return NO_NORM
        return Norm(weight=self.address_of(module.weight), epsilon=module.variance_epsilon)


class NativeLayer:
    """One decoder layer, ready to be run; what it widens is kept by its caller."""

    def __init__(self, layer: Layer, anatomy: Anatomy, means: Means, wide: WideTensors) -> None:
        self._layer = layer
        self._dtype = anatomy.dtype
        self._top_k = 0 if layer.router is None else int(layer.router.top_k)
        self._seat: Seat | None = None if layer.experts is None else seat_of(layer.experts)
        self._attention = self._prepared(anatomy, means, wide)

    @property
    def seat(self) -> Seat | None:
        """Where its experts sit; None where it has none."""
        return self._seat

    @property
    def block(self) -> Block | None:
        """The whole layer for native code; None where others have a part in it."""
        if self._seat is None or self._layer.shared is not None:
            return None
        experts = self._seat.runner.native_experts(self._seat.layer)
        return None if experts is None else Block(attention=self._attention, experts=experts)

    def run(self, rows: torch.Tensor, tokens: NewTokens, slots: Sequence[Slots]) -> None:
        """Compute the layer.

        Args:
            rows: float32 [tokens, hidden]; the layer's answer is added.
            tokens: what all layers of the step share.
            slots: the layer's cache, one.
        """
        (own,) = slots
        normed = torch.empty(rows.shape, dtype=self._dtype)
        if self._seat is None:
            out = Outcome(rows=rows.data_ptr(), normed=normed.data_ptr())
            self._attention.step(tokens, own, out)
            rows += self._layer.feed_forward(normed)
            return
        chosen = torch.empty((tokens.count, self._top_k), dtype=torch.uint16)
        shares = torch.empty((tokens.count, self._top_k))
        out = Outcome(
            rows=rows.data_ptr(),
            normed=normed.data_ptr(),
            chosen=chosen.data_ptr(),
            shares=shares.data_ptr(),
        )
        self._attention.step(tokens, own, out)
        if self._layer.shared is not None:
            rows += self._shared(normed)
        rows += self._seat.runner.run_routed(
            self._seat.layer, normed, chosen.numpy(), shares.numpy()
        )

    def _shared(self, normed: torch.Tensor) -> torch.Tensor:
        block = self._layer.feed_forward
        gate = functional.sigmoid(block.shared_expert_gate(normed))
        answer: torch.Tensor = gate * block.shared_expert(normed)
        return answer

    def _prepared(self, anatomy: Anatomy, means: Means, wide: WideTensors) -> Attention:
        layer, attention = self._layer, self._layer.attention
        query, key, value, output = projections = (
            attention.q_proj,
            attention.k_proj,
            attention.v_proj,
            attention.o_proj,
        )
        biases = tuple(wide.address_of(projection.bias) for projection in projections)
        return Attention(
            matrices=Matrices(
                query=query.weight.data_ptr(),
                key=key.weight.data_ptr(),
                value=value.weight.data_ptr(),
                output=output.weight.data_ptr(),
                router=0 if layer.router is None else layer.router.weight.data_ptr(),
                biases=(biases[0], biases[1], biases[2], biases[3]),
            ),
            norm=wide.norm(layer.norm),
            next_norm=wide.norm(layer.next_norm),
            query_norm=wide.norm(getattr(attention, "q_norm", None)),
            key_norm=wide.norm(getattr(attention, "k_norm", None)),
            norms_whole=anatomy.norms_whole,
            hidden=anatomy.hidden_size,
            heads=query.weight.shape[0] // attention.head_dim,
            key_heads=key.weight.shape[0] // attention.head_dim,
            size=attention.head_dim,
            format=FORMATS[self._dtype],
            scaling=attention.scaling,
            clip=float("inf") if anatomy.clip is None else anatomy.clip,
            window=layer.window,
            routing=None if layer.router is None else _routing_of(layer.router),
            threads=means.threads,
            instructions=means.instructions,
        )


def _routing_of(router: Any) -> Routing:  # noqa: ANN401
    return Routing(
        experts=int(router.num_experts),
        top_k=int(router.top_k),
        # Mixtral's router has no such choice: its shares sum to one.
        shares_sum_to_one=bool(getattr(router, "norm_topk_prob", True)),
    )
