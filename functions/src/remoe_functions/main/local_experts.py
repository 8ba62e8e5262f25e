"""Experts computed in this process, on weights that lie in the mapped checkpoint.

Remote experts are not in memory until a fallback needs one; what it read is then released. Which
experts are local is the placement's matter, and routing is the dispatcher's.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.kernel.machine import instruction_set, native_available
from remoe_functions.kernel.native_expert import ExpertTable
from remoe_functions.main.native_experts import NativeExperts
from remoe_functions.main.spread import Pairs
from remoe_functions.main.torch_expert import TorchExperts
from remoe_planner.experts import ExpertId

_log = logging.getLogger(__name__)


class LayerExperts(Protocol):
    """What computes experts, layer by layer.

    Attributes:
        name: for people and metrics.
    """

    name: str

    def weighted_sum(self, layer: int, rows: torch.Tensor, pairs: Pairs) -> NDArray[np.float64]:
        """Each row's sum of weight times expert over its pairs.

        Args:
            layer: the decoder layer's index.
            rows: [n, hidden], on the CPU.
            pairs: which rows go to which experts; rows without a pair are zero.

        Returns:
            [n, hidden], a new array: float32 shares, added in float64 (see `partial_sums`).
        """
        ...

    def native_experts(self, layer: int) -> ExpertTable | None:
        """The layer's experts for native code; None where these are computed otherwise."""
        ...

    def forget(self, experts: Iterable[ExpertId]) -> None:
        """Let go of memory that was taken to compute these."""
        ...


def experts_for(checkpoint: Checkpoint, dtype: torch.dtype) -> LayerExperts:
    """The native kernel, in as many threads as torch has; torch where that cannot run.

    Raises:
        ValueError: the environment names an instruction set that this machine has not.
    """
    found = native_available()
    if not found.available:
        _log.warning("experts are computed with torch: %s", found.reason)
        return TorchExperts(checkpoint, dtype)
    threads = torch.get_num_threads()
    return NativeExperts(checkpoint, instruction_set(os.environ), threads=threads)


class LocalExperts:
    """The experts of a model: those that are kept, and those borrowed for a fallback."""

    def __init__(self, checkpoint: Checkpoint, dtype: torch.dtype) -> None:
        self._checkpoint = checkpoint
        self._experts = experts_for(checkpoint, dtype)
        _log.info("local experts are computed with %s", self._experts.name)
        self._kept: set[ExpertId] = set()
        self._borrowed: set[ExpertId] = set()

    def keep(self, experts: Iterable[ExpertId]) -> None:
        """Make experts resident: every page of their weights is read now."""
        wanted = tuple(experts)
        self._checkpoint.read_ahead(wanted)
        for expert in wanted:
            self._checkpoint.touch(expert)
        self._kept.update(wanted)

    def weighted_sum(self, layer: int, rows: torch.Tensor, pairs: Pairs) -> NDArray[np.float64]:
        """Each row's sum of weight times expert over its pairs, [n, hidden]; experts are kept."""
        return self._experts.weighted_sum(layer, rows, pairs)

    def native_experts(self, layer: int) -> ExpertTable | None:
        """The layer's experts for native code, all of which are kept; None where that has none."""
        return self._experts.native_experts(layer)

    def borrow(self, layer: int, rows: torch.Tensor, pairs: Pairs) -> NDArray[np.float64]:
        """The same with any experts; those not kept leave memory at the next `release`."""
        used = {ExpertId(layer, int(index)) for index in np.unique(pairs.experts)}
        self._borrowed |= used - self._kept
        return self._experts.weighted_sum(layer, rows, pairs)

    def release(self) -> None:
        """Let the pages of borrowed experts leave the resident set."""
        self._experts.forget(self._borrowed)
        for expert in self._borrowed:
            self._checkpoint.release(expert)
        self._borrowed.clear()
