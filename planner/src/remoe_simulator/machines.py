"""Machines to serve on: stated ones by their processors, and one that was measured.

A machine says how long a model's modules take where everything is on its CPU, on its GPU, or on
both. What is stated and not measured says so in its profile and in its notes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

from remoe_planner.architecture import Architecture
from remoe_planner.hardware.devices import A100, H100, XEON_6348, XEON_8480, Device
from remoe_planner.hardware.expert_time import ExpertTime
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.hardware.roofline import expert_time, roofline
from remoe_simulator.models import PUBLISHED

PREFILL_CHUNK = 2048
"""Rows of a prompt in one pass, for every contender on a stated machine alike."""


class Hardware(Protocol):
    """What every contender's times come from."""

    @property
    def name(self) -> str: ...

    @property
    def gpu(self) -> Device:
        """The device whose memory GPU contenders fill."""

    @property
    def main_on_gpu(self) -> bool:
        """Whether a main model with functions beside it computes on a GPU."""

    def on_cpu(self, architecture: Architecture) -> HardwareProfile:
        """Everything on the CPU."""

    def on_gpu(self, architecture: Architecture) -> HardwareProfile:
        """Everything on the GPU."""

    def on_both(self, architecture: Architecture) -> HardwareProfile:
        """Routed experts on the CPU, everything else on the GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine known by the public figures of its processors.

    Attributes:
        name: as tables call it.
        source: what is stated of it, and where.
        main: computes everything but routed experts.
        experts: computes routed experts beside the main model.
        functions: what expert functions run on.
        grouped: whether a layer's picked experts are launched together, as fused kernels do;
            else each of them pays for its own launch, as in the paper's prototype. For every
            contender alike.
    """

    name: str
    source: str
    main: Device
    experts: Device
    functions: Device
    grouped: bool = False

    @property
    def gpu(self) -> Device:
        return self.main

    @property
    def main_on_gpu(self) -> bool:
        return self.main.is_gpu

    def on_cpu(self, architecture: Architecture) -> HardwareProfile:
        return self._stated(architecture, self.experts, self.experts)

    def on_gpu(self, architecture: Architecture) -> HardwareProfile:
        return self._stated(architecture, self.main, self.main)

    def on_both(self, architecture: Architecture) -> HardwareProfile:
        return self._stated(architecture, self.main, self.experts)

    def _stated(self, architecture: Architecture, main: Device, experts: Device) -> HardwareProfile:
        stated = stated_profile(architecture, main, experts, functions=self.functions)
        if not self.grouped:
            return stated
        remote = _grouped_time(self.functions, architecture)
        return replace(with_fused_experts(stated, experts, architecture), remote_expert=remote)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredMachine:
    """A machine without a GPU whose profile was measured; what a GPU would do there is stated.

    Attributes:
        profile: as measured.
        gpu: the stated device of contenders that need one.
    """

    profile: HardwareProfile
    gpu: Device = field(default_factory=lambda: A100)

    @property
    def name(self) -> str:
        return self.profile.name

    @property
    def main_on_gpu(self) -> bool:
        return False

    def on_cpu(self, architecture: Architecture) -> HardwareProfile:  # noqa: ARG002 - the seam
        """As measured; whatever the model is, it is the one that was measured."""
        return self.profile

    def on_gpu(self, architecture: Architecture) -> HardwareProfile:
        stated = stated_profile(architecture, self.gpu, self.gpu, functions=XEON_6348)
        return self._with_front(stated)

    def on_both(self, architecture: Architecture) -> HardwareProfile:
        alone = self.profile.of_main(functions=False)
        stated = stated_profile(architecture, self.gpu, XEON_6348, functions=XEON_6348)
        return replace(
            self._with_front(stated),
            name=f"{self.gpu.name}, experts on {self.profile.name}",
            local_expert=alone.local_expert,
            main_cores=alone.main_cores,
        )

    def _with_front(self, stated: HardwareProfile) -> HardwareProfile:
        own = self.profile
        return replace(
            stated,
            request_seconds=own.request_seconds,
            main_start=own.main_start,
            function_start=own.function_start,
            memory=own.memory,
            prefill_chunk=own.prefill_chunk,
        )


def stated_profile(
    architecture: Architecture, main: Device, experts: Device, *, functions: Device
) -> HardwareProfile:
    """A roofline that knows what a published model's bytes are.

    Tables of which a token reads one row are not read as a whole, and a weight in fewer bytes than
    two is still one multiplication and one addition.
    """
    beside = None if experts is main else experts
    read = replace(architecture, main_bytes=_read_bytes(architecture))
    profile = roofline(read, _for_main(main, architecture), beside, functions=functions)
    return replace(
        profile,
        name=main.name if beside is None else f"{main.name}, experts on {experts.name}",
        local_expert=expert_time(_for_experts(experts, architecture), architecture),
        remote_expert=expert_time(_for_experts(functions, architecture), architecture),
        gpu=main.is_gpu,
        prefill_chunk=PREFILL_CHUNK,
    )


def with_fused_experts(
    profile: HardwareProfile, device: Device, architecture: Architecture
) -> HardwareProfile:
    """The profile where a layer's picked experts are one launch on the device that has them."""
    return replace(profile, local_expert=_grouped_time(device, architecture))


def with_network(
    profile: HardwareProfile, bytes_per_second: float, round_trip_seconds: float
) -> HardwareProfile:
    """The profile where functions are this far away.

    What a call takes of both sides' own work stays; the way there and back comes on top, and rows
    travel at the network's rate.

    Raises:
        ValueError: an argument is out of bounds.
    """
    if not round_trip_seconds >= 0:
        raise ValueError(f"round_trip_seconds must be >= 0, got {round_trip_seconds}")
    call = replace(
        profile.call,
        mean_seconds=profile.call.mean_seconds + round_trip_seconds,
        bytes_per_second=bytes_per_second,
    )
    return replace(profile, call=call)


def _read_bytes(architecture: Architecture) -> int:
    known = PUBLISHED.get(architecture.name)
    return architecture.main_bytes - (known.gathered_bytes if known else 0)


def _for_main(device: Device, architecture: Architecture) -> Device:
    known = PUBLISHED.get(architecture.name)
    return _of_value(device, known.main_bytes / known.main_parameters if known else _TWO)


def _for_experts(device: Device, architecture: Architecture) -> Device:
    known = PUBLISHED.get(architecture.name)
    return _of_value(device, known.expert_value_bytes if known else _TWO)


def _of_value(device: Device, value_bytes: float) -> Device:
    """The device for a roofline that takes every weight as two bytes."""
    if value_bytes == _TWO:
        return device
    return replace(device, flops_per_second=device.flops_per_second * value_bytes / _TWO)


def _grouped_time(device: Device, architecture: Architecture) -> ExpertTime:
    """One expert of several that are launched together."""
    launch = device.launch_seconds / architecture.top_k
    return expert_time(
        replace(_for_experts(device, architecture), launch_seconds=launch), architecture
    )


_TWO = 2.0

PAPER_SERVER = Machine(
    name="paper's server",
    source=(
        "the paper's evaluation set-up: two A100 80 GB and two Xeon Gold 6348, of which one each "
        "is taken; functions are taken to have cores and bandwidth of their own, as in a cloud, "
        "where the paper's are pods on the same server"
    ),
    main=A100,
    experts=XEON_6348,
    functions=XEON_6348,
)

H100_NODE = Machine(
    name="H100 node",
    source=(
        "an H100 80 GB SXM beside a Xeon Platinum 8480+, as in NVIDIA's DGX H100; functions on "
        "such processors, too, with cores and bandwidth of their own"
    ),
    main=H100,
    experts=XEON_8480,
    functions=XEON_8480,
)

MACHINES = {"paper": PAPER_SERVER, "h100": H100_NODE}
"""By the names that options use."""
