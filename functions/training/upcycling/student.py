"""The mixture while it learns: the dense FFN once, and every expert as a small correction to it.

Mathematically the assembled Mixtral, at a fraction of its cost: experts share the dense products,
and the low-rank parts of all experts are one thin matrix of which a token uses its experts' rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaMLP

from remoe_functions.demo_model.deltas import PROJECTIONS
from remoe_functions.demo_model.dense import DenseModel

EXPERTS = 8
EXPERTS_PER_TOKEN = 2


def load_dense(source: DenseModel) -> LlamaForCausalLM:
    """The dense model, frozen, in float32 unless it is converted."""
    shape = source.shape
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        max_position_embeddings=shape.context,
        rms_norm_eps=shape.norm_epsilon,
        rope_parameters={"rope_theta": shape.rope_theta, "rope_type": "default"},
        tie_word_embeddings=True,
        bos_token_id=shape.bos_token,
        eos_token_id=shape.eos_token,
        pad_token_id=shape.pad_token,
    )
    model = LlamaForCausalLM(config)
    state = {name: torch.from_numpy(source.weight(name).copy()) for name in source.names}
    model.load_state_dict(state | {"lm_head.weight": state["model.embed_tokens.weight"]})
    return model.requires_grad_(requires_grad=False).eval()


class Delta(nn.Module):
    """All experts' low-rank corrections of one matrix; expert e owns rows e*rank to (e+1)*rank."""

    def __init__(self, rows: int, columns: int, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.rank = rank
        start = torch.randn(EXPERTS * rank, columns, generator=generator)
        self.into = nn.Parameter(start * columns**-0.5)
        self.out = nn.Parameter(torch.zeros(EXPERTS * rank, rows))

    def forward(self, hidden: Tensor, share: Tensor) -> Tensor:
        """The correction, for hidden [..., columns] and each expert's share [..., experts]."""
        narrow: Tensor = (hidden @ self.into.T) * share.repeat_interleave(self.rank, dim=-1)
        return narrow @ self.out


class Mixture(nn.Module):
    """A layer's experts in place of its dense FFN."""

    def __init__(
        self, dense: LlamaMLP, gate: Tensor, rank: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.dense: LlamaMLP = dense
        self.gate = nn.Parameter(gate, requires_grad=False)
        inner, outer = dense.gate_proj.weight.shape
        self.w1 = Delta(inner, outer, rank, generator)
        self.w2 = Delta(outer, inner, rank, generator)
        self.w3 = Delta(inner, outer, rank, generator)
        self.active = True

    def deltas(self) -> dict[str, Delta]:
        return {"w1": self.w1, "w2": self.w2, "w3": self.w3}

    def dense_weight(self, projection: str) -> Tensor:
        weight: Tensor = getattr(self.dense, PROJECTIONS[projection]).weight
        return weight

    def route(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """The experts of each token and their weights, as Mixtral computes them."""
        scores = functional.softmax(functional.linear(hidden, self.gate), dim=-1)
        weights, chosen = scores.topk(EXPERTS_PER_TOKEN, dim=-1)
        return chosen, weights / weights.sum(dim=-1, keepdim=True)

    def forward(self, hidden: Tensor) -> Tensor:
        return self._mix(hidden) if self.active else self._dense(hidden)

    def _dense(self, hidden: Tensor) -> Tensor:
        output: Tensor = self.dense(hidden)
        return output

    def _mix(self, hidden: Tensor) -> Tensor:
        chosen, weights = self.route(hidden)
        gate, up = self.dense.gate_proj(hidden), self.dense.up_proj(hidden)
        shared, corrections = torch.zeros_like(gate), torch.zeros_like(hidden)
        for slot in range(EXPERTS_PER_TOKEN):
            share = functional.one_hot(chosen[..., slot], EXPERTS).to(hidden.dtype)
            weight = weights[..., slot, None]
            inner = functional.silu(gate + self.w1(hidden, share)) * (up + self.w3(hidden, share))
            shared = shared + weight * inner
            corrections = corrections + self.w2(inner, weight * share)
        output: Tensor = self.dense.down_proj(shared) + corrections
        return output


def upcycle(model: LlamaForCausalLM, gates: list[Tensor], rank: int, seed: int) -> list[Mixture]:
    """Put a mixture into every layer. With its deltas at zero it computes what it replaces."""
    generator = torch.Generator().manual_seed(seed)
    mixtures = []
    for layer, gate in zip(model.model.layers, gates, strict=True):
        layer.mlp = Mixture(layer.mlp, gate, rank, generator)
        mixtures.append(layer.mlp)
    return mixtures


@contextmanager
def as_dense(mixtures: list[Mixture]) -> Iterator[None]:
    """The dense model again, for as long as the block lasts."""
    for mixture in mixtures:
        mixture.active = False
    try:
        yield
    finally:
        for mixture in mixtures:
            mixture.active = True
