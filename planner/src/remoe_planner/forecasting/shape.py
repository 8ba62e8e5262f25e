"""The shape of a model's routing. Nothing about its weights, bytes or speed belongs here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingShape:
    """How many choices a token makes.

    Attributes:
        layers: MoE layers.
        experts: routed experts in each (K).
        top_k: experts a token visits in a layer.
    """

    layers: int
    experts: int
    top_k: int

    def __post_init__(self) -> None:
        if self.layers < 1:
            raise ValueError(f"layers must be >= 1, got {self.layers}")
        if not 1 <= self.top_k <= self.experts:
            raise ValueError(f"top_k must be in 1..{self.experts}, got {self.top_k}")

    @property
    def table(self) -> tuple[int, int]:
        """(layers, experts): the shape of a table of activations."""
        return self.layers, self.experts

    @property
    def cells(self) -> int:
        return self.layers * self.experts

    @property
    def picks(self) -> int:
        """Expert choices one token makes over all layers."""
        return self.layers * self.top_k
