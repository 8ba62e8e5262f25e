"""What all contenders have in common, so that nothing but their placement differs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from remoe_planner.architecture import Architecture
from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.offerings import Offerings
from remoe_planner.planning.problem import Problem
from remoe_simulator.machines import Hardware, with_network

GPU_PRICE_RATIO = 3.0
"""Of GPU memory to other memory where a price list has none: the least that the paper cites."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """How far away functions are.

    Attributes:
        bytes_per_second: at which token rows travel.
        round_trip_seconds: there and back, beside what a call takes of both sides' work.
    """

    bytes_per_second: float
    round_trip_seconds: float


class Sizing(StrEnum):
    """How rivals that never plan choose the memory of their functions, one size for all."""

    SMALLEST = "smallest"
    """What holds the experts."""

    CHEAPEST = "cheapest"
    """What our own estimator says is cheapest inside the SLO: the kindest reading."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """A model to be served.

    Attributes:
        architecture: the model.
        machine: what it is served on.
        routing: how tokens spread over the experts, as known before the requests.
        workload: the requests, as expected.
        slo: what is promised to them.
        offerings: what can be rented, its prices and billing; whether the main model has a GPU is
            each contender's own affair.
        network: how far away functions are; None: as the machine says.
        sizing: of functions that nobody plans.
    """

    architecture: Architecture
    machine: Hardware
    routing: Routing
    workload: Workload
    slo: Slo
    offerings: Offerings
    network: Network | None = None
    sizing: Sizing = Sizing.CHEAPEST

    @property
    def on_cpu(self) -> HardwareProfile:
        """Everything on the CPU."""
        return self._reached(self.machine.on_cpu(self.architecture))

    @property
    def on_gpu(self) -> HardwareProfile:
        """Everything on the GPU."""
        return self._reached(self.machine.on_gpu(self.architecture))

    @property
    def on_both(self) -> HardwareProfile:
        """Routed experts on the CPU, everything else on the GPU."""
        return self._reached(self.machine.on_both(self.architecture))

    @property
    def beside_functions(self) -> HardwareProfile:
        """What a main model with functions runs on."""
        return self.on_both if self.machine.main_on_gpu else self.on_cpu

    def problem(self, profile: HardwareProfile, *, gpu: bool) -> Problem:
        """What is to be planned on such a machine."""
        return Problem(
            architecture=self.architecture,
            routing=self.routing,
            workload=self.workload,
            slo=self.slo,
            profile=profile,
            offerings=self.rented(gpu=gpu),
        )

    def rented(self, *, gpu: bool) -> Offerings:
        """The offerings with or without a GPU, whose memory has a price then."""
        prices = self.offerings.prices
        if gpu and not prices.gpu_gib_second:
            prices = replace(prices, gpu_gib_second=GPU_PRICE_RATIO * prices.main_gib_second)
        return replace(self.offerings, gpu=gpu, prices=prices)

    @property
    def assumes_gpu_price(self) -> bool:
        """Whether the price list has none for GPU memory."""
        return not self.offerings.prices.gpu_gib_second

    def _reached(self, profile: HardwareProfile) -> HardwareProfile:
        far = self.network
        if far is None:
            return profile
        return with_network(profile, far.bytes_per_second, far.round_trip_seconds)
