"""A plan as arrays: where each expert lives and what each function is given.

Whoever tries many placements builds these arrays without a plan.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from remoe_planner.architecture import Architecture
from remoe_planner.offerings import Offerings
from remoe_planner.plan import Plan

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placed:
    """Where experts are and what serves them; functions are numbered from 1, 0 is local.

    Attributes:
        architecture: the model.
        homes: int [layers, experts], the function of each expert.
        memory_bytes: [functions], of one replica.
        cores: [functions], of one replica.
        weight_bytes: [functions], of the experts that each serves.
        min_replicas: [functions], kept when idle.
        replicas: [functions], used by a prefill.
        keep_alive_seconds: [functions], of an idle replica.
        main_memory_bytes: of the main model.
        main_gpu_bytes: its GPU memory.
        places: [layers * experts], the home of each among those of all layers.
    """

    architecture: Architecture
    homes: NDArray[np.intp]
    memory_bytes: Floats
    cores: Floats
    weight_bytes: Floats
    min_replicas: Floats
    replicas: Floats
    keep_alive_seconds: Floats
    main_memory_bytes: int
    main_gpu_bytes: int
    places: NDArray[np.intp] = field(init=False)

    def __post_init__(self) -> None:
        first = (self.functions + 1) * np.arange(len(self.homes))[:, None]
        object.__setattr__(self, "places", (self.homes + first).ravel())

    @classmethod
    def of(cls, plan: Plan, offerings: Offerings) -> Placed:
        """A plan's arrays; cores that it leaves open follow from the memory."""
        functions = plan.functions
        memory = np.array([f.memory_bytes for f in functions], np.float64)
        stated = np.array([f.cores or np.nan for f in functions], np.float64)
        return cls(
            architecture=plan.architecture,
            homes=_homes(plan),
            memory_bytes=memory,
            cores=np.where(np.isnan(stated), offerings.function_cores(memory), stated),
            weight_bytes=plan.architecture.expert_bytes
            * np.array([len(f.experts) for f in functions], np.float64),
            min_replicas=np.array([f.min_replicas for f in functions], np.float64),
            replicas=np.array([f.max_replicas for f in functions], np.float64),
            keep_alive_seconds=np.array([f.keep_alive_seconds for f in functions], np.float64),
            main_memory_bytes=plan.main_memory_bytes,
            main_gpu_bytes=plan.main_gpu_bytes,
        )

    @property
    def functions(self) -> int:
        return len(self.memory_bytes)

    @property
    def local_weight_bytes(self) -> int:
        """Weights that the main model loads."""
        local = int((self.homes == 0).sum())
        return self.architecture.main_bytes + local * self.architecture.expert_bytes

    def by_function(self, values: Floats) -> Floats:
        """Sums of [layers, experts] over each layer's functions, [layers, functions]."""
        if not self.functions:
            return np.zeros((len(self.homes), 0))
        return self.by_home(values)[:, 1:]

    def by_home(self, values: Floats) -> Floats:
        """The same, the main model first, [layers, functions + 1]."""
        count = len(self.homes) * (self.functions + 1)
        sums = np.bincount(self.places, weights=values.ravel(), minlength=count)
        return np.asarray(sums.reshape(len(self.homes), -1), np.float64)


def _homes(plan: Plan) -> NDArray[np.intp]:
    homes = np.zeros(plan.architecture.shape, np.intp)
    row_of = {layer: row for row, layer in enumerate(plan.architecture.layers)}
    for number, function in enumerate(plan.functions, start=1):
        rows = [row_of[expert.layer] for expert in function.experts]
        homes[rows, [expert.index for expert in function.experts]] = number
    return homes
