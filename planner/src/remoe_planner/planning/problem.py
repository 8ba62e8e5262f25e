"""Everything a plan is made from, checked against each other once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from remoe_planner.architecture import Architecture
from remoe_planner.billing import Billing
from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.estimate import CostEstimate, Estimate
from remoe_planner.estimating.estimate_plan import estimate_placed
from remoe_planner.estimating.given import Given
from remoe_planner.estimating.placed import Placed
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.offerings import Offerings
from remoe_planner.planning.rows import Rows
from remoe_planner.preallocation.main_memory import MainMemory
from remoe_planner.preallocation.preallocation import Preallocation
from remoe_planner.queueing.stream import Stream


def ranked(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Indices of the last axis, ascending, ties by index."""
    order = np.argsort(values, axis=-1)
    ascending = np.take_along_axis(values, order, axis=-1)
    if np.any(ascending[..., 1:] == ascending[..., :-1]):
        return np.argsort(values, axis=-1, kind="stable")
    # Without ties the order is the same, and found in a third of the time.
    return order


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """One planning problem.

    Attributes:
        architecture: the model.
        routing: how tokens spread over its experts.
        workload: the requests.
        slo: what is promised to them.
        profile: the machine.
        offerings: what can be rented.
        preallocation: MMP's answer, for the method that starts from it; None: it is asked for.
        given: what estimates of all placements with functions share.
        resident: the same for those without.
        utility: [layers, experts], assignments expected of a typical request (u).
        order: [layers, experts], indices by utility, least used first; ties go by index.
    """

    architecture: Architecture
    routing: Routing
    workload: Workload
    slo: Slo
    profile: HardwareProfile
    offerings: Offerings
    preallocation: Preallocation | None = None
    given: Given = field(init=False)
    resident: Given = field(init=False)
    utility: NDArray[np.float64] = field(init=False)
    order: NDArray[np.intp] = field(init=False)

    def __post_init__(self) -> None:
        if self.routing.shape != self.architecture.shape:
            raise ValueError(
                f"routing: must be of shape {self.architecture.shape} (layers, experts) as model "
                f"{self.architecture.name}, got {self.routing.shape}"
            )
        for name in ("prefill", "decode"):
            if not np.all(np.isfinite(getattr(self.routing, name))):
                raise ValueError(f"routing: {name} must be finite for every expert")
        prompt_visits, visits = self.routing.visits(self.architecture.top_k)
        utility = self.workload.prompt_tokens * prompt_visits + self.workload.output_tokens * visits
        given = Given(self.routing, self.workload, self.profile, self.architecture.top_k)
        object.__setattr__(self, "given", given)
        object.__setattr__(self, "resident", self._without_functions(given))
        object.__setattr__(self, "utility", utility)
        object.__setattr__(self, "order", ranked(utility))

    @cached_property
    def stream(self) -> Stream:
        """The requests, as they come to main models."""
        return Stream.of(
            self.workload,
            prefill_chunk=self.profile.prefill_chunk,
            max_batch=self.offerings.max_batch,
        )

    @cached_property
    def rows(self) -> Rows:
        """The numbers of rows that a decode step can have."""
        return Rows.of(self.given, self.stream, self.architecture)

    @property
    def main_memory(self) -> MainMemory:
        """What the main model needs, by the number of its local experts."""
        tokens = self.workload.max_prompt_tokens + self.workload.max_output_tokens
        return MainMemory(architecture=self.architecture, offerings=self.offerings, tokens=tokens)

    @property
    def main_gpu_bytes(self) -> int:
        """GPU memory of the main model (eq. 7): weights, and keys and values of its tokens."""
        if not self.offerings.gpu:
            return 0
        work = self.workload
        tokens = work.concurrency * (work.max_prompt_tokens + work.max_output_tokens)
        cache = tokens * self.architecture.cache_bytes_per_token
        return self.architecture.main_bytes + round(cache)

    def estimate(self, placed: Placed) -> Estimate:
        """What a placement is expected to do."""
        given = self.given if placed.functions else self.resident
        return estimate_placed(placed, given=given, offerings=self.offerings, slo=self.slo)

    def _without_functions(self, given: Given) -> Given:
        alone = self.profile.of_main(functions=False)
        if alone is self.profile:
            return given
        return Given(self.routing, self.workload, alone, self.architecture.top_k)

    def cost(self, estimate: Estimate) -> float:
        """What a plan is made cheapest by: a typical request under the offerings' billing."""
        return self.billed(estimate).per_request

    def billed(self, estimate: Estimate) -> CostEstimate:
        """The cost under the offerings' billing."""
        return estimate.busy if self.offerings.billing is Billing.BUSY else estimate.awake
