"""A stated profile: what a model's modules take on devices known by their public figures alone."""

from __future__ import annotations

from remoe_planner.architecture import Architecture
from remoe_planner.hardware.curve import Curve
from remoe_planner.hardware.devices import XEON_6348, Device
from remoe_planner.hardware.expert_time import ExpertTime
from remoe_planner.hardware.profile import CallTime, HardwareProfile, StartTime

_ROWS = (1, 4, 16, 64, 256, 1024, 4096)
_VALUE_BYTES = 2
_ASSUMED = "call, start and hand-over latencies are assumptions"


def roofline(
    architecture: Architecture,
    main: Device,
    experts: Device | None = None,
    *,
    functions: Device = XEON_6348,
) -> HardwareProfile:
    """A profile from bandwidth and arithmetic, marked as stated.

    Weights are taken as read once a pass, two bytes each. The architecture does not say how much
    of the main model is embedding, so all of it counts as read: a bound from above.

    Args:
        architecture: the model.
        main: computes everything but routed experts.
        experts: computes those beside the main model; the same device by default.
        functions: what expert functions run on.
    """
    beside = experts or main
    layers = len(architecture.layers)
    apart = main.is_gpu and not beside.is_gpu
    source = "; ".join(dict.fromkeys((main.source, beside.source, functions.source, _ASSUMED)))
    name = main.name if beside is main else f"{main.name}, experts on {beside.name}"
    cache_bytes = architecture.cache_bytes_per_token / layers
    return HardwareProfile(
        name=name,
        source=f"roofline: {source}",
        measured=False,
        model=architecture.name,
        module=_curve(main, architecture.main_bytes / layers),
        step=Curve.nothing(),
        local_expert=expert_time(beside, architecture),
        remote_expert=expert_time(functions, architecture),
        handover=_handover(main, architecture) if apart else Curve.nothing(),
        context_seconds=cache_bytes / (main.bytes_per_second * main.efficiency),
        prefill_context_seconds=2 * cache_bytes / (main.flops_per_second * main.efficiency),
        main_cores=beside.cores,
        call=CallTime(
            mean_seconds=5e-4, deviation_seconds=2e-4, main_seconds=1e-4, bytes_per_second=1.25e9
        ),
        main_start=StartTime(seconds=10.0, bytes_per_second=1e9),
        function_start=StartTime(seconds=1.0, bytes_per_second=1e9),
        gpu=main.is_gpu,
    )


def expert_time(device: Device, architecture: Architecture) -> ExpertTime:
    """One routed expert on a device, by rows and cores."""
    cores = [count for count in (1.0, 4.0, 16.0) if count < device.cores]
    counts = (*cores, device.cores)
    weights = architecture.expert_bytes
    return ExpertTime(
        cores=counts, curves=tuple(_curve(device, weights, count) for count in counts)
    )


def _curve(device: Device, weight_bytes: float, cores: float | None = None) -> Curve:
    flops = 2 * weight_bytes / _VALUE_BYTES
    seconds = (device.seconds(weight_bytes, flops * rows, cores) for rows in _ROWS)
    return Curve(rows=tuple(map(float, _ROWS)), seconds=tuple(seconds))


def _handover(device: Device, architecture: Architecture) -> Curve:
    rate = device.link_bytes_per_second or device.bytes_per_second
    row = _VALUE_BYTES * architecture.hidden_size / rate
    return Curve(rows=tuple(map(float, _ROWS)), seconds=tuple(1e-5 + row * rows for rows in _ROWS))
