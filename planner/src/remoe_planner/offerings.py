"""What can be rented: memory sizes, the cores that come with them, and how use is billed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remoe_planner.billing import Billing
from remoe_planner.memory import GIB, MIB, MemoryModel
from remoe_planner.prices import DEFAULT_PRICES, Prices


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryGrid:
    """The sizes on offer: from the least to the most in equal steps (the paper's M)."""

    least_bytes: int
    most_bytes: int
    step_bytes: int = 100 * MIB

    def __post_init__(self) -> None:
        if self.least_bytes < 1 or self.step_bytes < 1:
            raise ValueError(
                "memory grid: least_bytes and step_bytes must be >= 1, "
                f"got {self.least_bytes} and {self.step_bytes}"
            )
        if self.most_bytes < self.least_bytes:
            raise ValueError(
                f"memory grid: most_bytes must be >= least_bytes ({self.least_bytes}), "
                f"got {self.most_bytes}"
            )

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Every size, ascending."""
        return np.arange(self.least_bytes, self.most_bytes + 1, self.step_bytes)

    @property
    def largest_bytes(self) -> int:
        """The last size, which is not `most_bytes` where the steps do not come to it."""
        return self.most_bytes - (self.most_bytes - self.least_bytes) % self.step_bytes

    def at_least(self, needed_bytes: float) -> int | None:
        """The smallest size that holds this much, or None where the largest does not."""
        steps = max(math.ceil((needed_bytes - self.least_bytes) / self.step_bytes), 0)
        size = self.least_bytes + steps * self.step_bytes
        return size if size <= self.most_bytes else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offerings:
    """Everything a plan may choose from.

    Attributes:
        function_memory: sizes of a function's replica.
        main_memory: sizes of the main model's memory beside its GPU.
        prices: the price list.
        billing: what the plan is made cheapest under; estimates say both.
        cores_per_gib: cores that come with a GiB of a function's memory (the paper's 1).
        max_function_cores: cores of one replica at most.
        memory: what a part needs beside its weights.
        gpu: whether everything but routed experts lies in GPU memory.
        main_keep_alive_seconds: how long an idle main model stays; None keeps it always.
        function_keep_alive_seconds: how long an idle replica stays.
        max_functions: functions in a plan at most.
        max_replicas: replicas of a function at most (z_max).
        payload_bytes: token rows in one call at most; None where calls are not bounded.
        max_batch: requests that a main model decodes together at most.
        main_replicas: main models at most, of which there are as many as the load needs.
    """

    function_memory: MemoryGrid = field(
        default_factory=lambda: MemoryGrid(least_bytes=100 * MIB, most_bytes=10 * GIB)
    )
    main_memory: MemoryGrid = field(
        default_factory=lambda: MemoryGrid(least_bytes=100 * MIB, most_bytes=2048 * GIB)
    )
    prices: Prices = DEFAULT_PRICES
    billing: Billing = Billing.AWAKE
    cores_per_gib: float = 1.0
    max_function_cores: float = 64.0
    memory: MemoryModel = field(default_factory=MemoryModel)
    gpu: bool = False
    main_keep_alive_seconds: float | None = 300.0
    function_keep_alive_seconds: float = 60.0
    max_functions: int = 64
    max_replicas: int = 4
    payload_bytes: int | None = None
    max_batch: int = 8
    main_replicas: int = 1

    def __post_init__(self) -> None:
        for name in ("cores_per_gib", "max_function_cores"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"offerings: {name} must be finite and > 0, got {value}")
        for name in ("max_functions", "max_replicas", "max_batch", "main_replicas"):
            if getattr(self, name) < 1:
                raise ValueError(f"offerings: {name} must be >= 1, got {getattr(self, name)}")
        for name in ("main_keep_alive_seconds", "function_keep_alive_seconds", "payload_bytes"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"offerings: {name} must be finite and >= 0, got {value}")

    @property
    def function_room_bytes(self) -> int:
        """For experts, in the largest function; below 0 where not even its own work fits."""
        return self.function_memory.largest_bytes - self.memory.function_working_bytes

    def function_cores(self, memory_bytes: ArrayLike) -> NDArray[np.float64]:
        """Cores that come with replicas of these sizes."""
        bought = np.asarray(memory_bytes, np.float64) / GIB * self.cores_per_gib
        return np.asarray(np.minimum(bought, self.max_function_cores))
