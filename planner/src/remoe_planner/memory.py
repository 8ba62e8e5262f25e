"""How much memory a part is given: its weights and a stated allowance for working memory."""

from __future__ import annotations

from dataclasses import dataclass

from remoe_planner.architecture import Architecture

MIB = 1 << 20
GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryModel:
    """Working memory beside the weights.

    Attributes:
        main_working_bytes: the main process without weights: interpreter, tensor library,
            activations and key-value cache.
        function_working_bytes: a function process without weights: interpreter, numpy,
            buffers of calls in flight.
    """

    main_working_bytes: int = 1 * GIB
    function_working_bytes: int = 128 * MIB

    def __post_init__(self) -> None:
        for name in ("main_working_bytes", "function_working_bytes"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be >= 0, got {getattr(self, name)}")

    def of_main(self, architecture: Architecture, local_experts: int) -> int:
        """Bytes for a main model that holds this many experts."""
        weights = architecture.main_bytes + local_experts * architecture.expert_bytes
        return weights + self.main_working_bytes

    def of_function(self, architecture: Architecture, experts: int) -> int:
        """Bytes for one replica of a function that serves this many experts."""
        return experts * architecture.expert_bytes + self.function_working_bytes
