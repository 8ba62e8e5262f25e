"""The machine that a plan is made for: as measured, or from public figures, which is then said."""

from __future__ import annotations

from dataclasses import replace

from remoe_operator.resource.quantity import millicores_of
from remoe_operator.resource.spec import Device, MoEServiceSpec
from remoe_planner.architecture import Architecture
from remoe_planner.hardware import devices
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.hardware.roofline import roofline


def machine_of(
    spec: MoEServiceSpec, architecture: Architecture, profile: str | None
) -> HardwareProfile:
    """The hardware profile.

    Args:
        spec: says on what the main model computes, and on how many cores.
        architecture: the model.
        profile: text of the profile that `spec.profile` names, or None to take stated figures.

    Raises:
        ValueError: the text is no profile, or it is of another kind of machine.
    """
    if profile is None:
        return _stated(spec, architecture)
    measured = HardwareProfile.from_json(profile)
    if measured.gpu is not (spec.main.device is Device.GPU):
        where = "with" if measured.gpu else "without"
        raise ValueError(
            f"the profile was measured {where} a GPU, and main.device is {spec.main.device}"
        )
    return measured


def _stated(spec: MoEServiceSpec, architecture: Architecture) -> HardwareProfile:
    beside = _cpu(spec.main.cpu)
    if spec.main.device is Device.GPU:
        return replace(roofline(architecture, devices.A100, beside), gpu=True)
    return roofline(architecture, beside)


def _cpu(asked: str | None) -> devices.Device:
    """So many cores of the stated processor; all of them where nothing is said."""
    whole = devices.XEON_6348
    if asked is None:
        return whole
    cores = min(max(millicores_of(asked) / 1000, 1.0), whole.cores)
    return replace(
        whole,
        name=f"{cores:g} cores of {whole.name}",
        cores=cores,
        flops_per_second=whole.flops_per_second * cores / whole.cores,
        bytes_per_second=min(whole.bytes_per_second, cores * whole.core_bytes_per_second),
    )
