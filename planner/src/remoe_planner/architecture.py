"""What the planner knows of a model: its MoE layers, experts and bytes. Never its weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from remoe_planner.experts import ExpertId


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The shape of a Mixture-of-Experts model.

    Attributes:
        name: the model's name as its users know it.
        revision: what tells one set of weights from another; routing history never crosses it.
        layers: indices of the decoder layers that have routed experts, ascending.
        experts_per_layer: routed experts in each of those layers (K).
        top_k: routed experts each token visits in a layer.
        hidden_size: width of a token row.
        expert_bytes: bytes of one routed expert's weights.
        main_bytes: bytes of everything else (embeddings, attention, gates, shared experts).
        cache_bytes_per_token: keys and values of one token in all layers; 0 where not known.
    """

    name: str
    revision: str
    layers: tuple[int, ...]
    experts_per_layer: int
    top_k: int
    hidden_size: int
    expert_bytes: int
    main_bytes: int
    cache_bytes_per_token: int = 0

    def __post_init__(self) -> None:
        if not self.layers or list(self.layers) != sorted(set(self.layers)):
            raise ValueError(f"layers must be ascending and not empty, got {self.layers}")
        if not 1 <= self.top_k <= self.experts_per_layer:
            raise ValueError(f"top_k must be in 1..{self.experts_per_layer}, got {self.top_k}")
        for name in ("hidden_size", "expert_bytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")

    @property
    def experts(self) -> Iterator[ExpertId]:
        """Every routed expert, layer by layer."""
        return (ExpertId(layer, k) for layer in self.layers for k in range(self.experts_per_layer))

    @property
    def expert_count(self) -> int:
        return len(self.layers) * self.experts_per_layer

    @property
    def shape(self) -> tuple[int, int]:
        """(MoE layers, experts per layer): the shape of every table of activations."""
        return len(self.layers), self.experts_per_layer

    @property
    def total_bytes(self) -> int:
        return self.main_bytes + self.expert_count * self.expert_bytes

    def has(self, expert: ExpertId) -> bool:
        return expert.layer in self.layers and expert.index < self.experts_per_layer
