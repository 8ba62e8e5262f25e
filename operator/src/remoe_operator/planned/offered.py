"""A resource's bounds as what the planner may choose from."""

from __future__ import annotations

from remoe_operator.planned.price_list import price_list
from remoe_operator.resource.duration import seconds_of
from remoe_operator.resource.quantity import bytes_of
from remoe_operator.resource.spec import Device, MoEServiceSpec
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.memory import GIB, MIB, MemoryModel
from remoe_planner.offerings import MemoryGrid, Offerings

_LEAST_MAIN_BYTES, _MOST_MAIN_BYTES = 64 * MIB, 4096 * GIB
_STEP_BYTES = 64 * MIB
# So many cores per GiB that the bound on a function's cores decides alone: each has one of its own.
_ANY_CORE = 1e6
_FUNCTION_CORES = 1.0


def offerings_of(spec: MoEServiceSpec, profile: HardwareProfile) -> Offerings:
    """What can be had for a service.

    Raises:
        ValueError: the bounds contradict each other; names the field.
    """
    return Offerings(
        function_memory=_grid(spec),
        main_memory=_main_grid(spec),
        prices=price_list(spec),
        billing=spec.prices.billing,
        cores_per_gib=_ANY_CORE,
        max_function_cores=_FUNCTION_CORES,
        memory=profile.memory or MemoryModel(),
        gpu=spec.main.device is Device.GPU,
        main_keep_alive_seconds=_keep_alive(spec),
        function_keep_alive_seconds=seconds_of(spec.experts.keep_alive),
        max_functions=spec.experts.max_functions,
        max_replicas=spec.experts.max_replicas,
        max_batch=spec.main.max_batch,
        main_replicas=spec.main.max_replicas,
    )


def _keep_alive(spec: MoEServiceSpec) -> float | None:
    return None if spec.main.min_replicas else seconds_of(spec.main.idle_timeout)


def _grid(spec: MoEServiceSpec) -> MemoryGrid:
    least, most = (bytes_of(text) for text in (spec.experts.min_memory, spec.experts.max_memory))
    if not 1 <= least <= most:
        raise ValueError(
            f"experts.maxMemory must be at least experts.minMemory ({spec.experts.min_memory}), "
            f"got {spec.experts.max_memory}"
        )
    return MemoryGrid(least_bytes=least, most_bytes=most, step_bytes=_STEP_BYTES)


def _main_grid(spec: MoEServiceSpec) -> MemoryGrid:
    limit = spec.main.memory_limit
    most = _MOST_MAIN_BYTES if limit is None else bytes_of(limit)
    if most < _LEAST_MAIN_BYTES:
        raise ValueError(f"main.memoryLimit must be at least 64Mi, got {limit}")
    return MemoryGrid(least_bytes=_LEAST_MAIN_BYTES, most_bytes=most, step_bytes=_STEP_BYTES)
