"""Experts computed in this process, on weights that lie in the mapped checkpoint.

Remote experts are not here until a fallback needs one; what it read is then released. Which
experts are local is the placement's matter, and routing is the dispatcher's.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.main.torch_expert import TorchExpert
from remoe_planner.experts import ExpertId


class LocalExperts:
    """The experts of a model, made as they are asked for."""

    def __init__(self, checkpoint: Checkpoint, dtype: torch.dtype) -> None:
        self._checkpoint = checkpoint
        self._dtype = dtype
        self._experts: dict[ExpertId, TorchExpert] = {}
        self._borrowed: set[ExpertId] = set()

    def keep(self, experts: Iterable[ExpertId]) -> None:
        """Make experts resident: every page of their weights is read now."""
        for expert in experts:
            self._checkpoint.touch(expert)
            self._experts[expert] = self._build(expert)

    def get(self, layer: int, index: int) -> TorchExpert:
        """An expert to compute with; one that is not kept is borrowed until `release`."""
        expert = ExpertId(layer, index)
        found = self._experts.get(expert)
        if found is None:
            found = self._build(expert)
            self._borrowed.add(expert)
        return found

    def release(self) -> None:
        """Let the pages of borrowed experts leave the resident set."""
        for expert in self._borrowed:
            self._checkpoint.release(expert)
        self._borrowed.clear()

    def _build(self, expert: ExpertId) -> TorchExpert:
        return TorchExpert.of(self._checkpoint.expert(expert), self._dtype)
