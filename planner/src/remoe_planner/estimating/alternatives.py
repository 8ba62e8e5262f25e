"""What the same workload takes without functions: on a GPU, on CPUs, on both (remoe.md 1.12)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from remoe_planner.architecture import Architecture
from remoe_planner.demand.routing import Routing
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.estimate import Estimate
from remoe_planner.estimating.estimate_plan import estimate_plan
from remoe_planner.hardware.devices import A100, XEON_6348, Device
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.hardware.roofline import roofline
from remoe_planner.memory import GIB
from remoe_planner.offerings import Offerings
from remoe_planner.plan import Plan

_GPU_PRICE_RATIO = 3.0


class Alternative(StrEnum):
    """Ways to serve a model with everything resident; the paper's baselines of these names."""

    GPU = "all on GPU"
    CPU = "all on CPU"
    MIX = "experts on CPU"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeEstimate:
    """One of them.

    Attributes:
        alternative: which.
        plan: what is where.
        estimate: what it is expected to do.
        notes: what of it is stated and not measured, in sentences.
    """

    alternative: Alternative
    plan: Plan
    estimate: Estimate
    notes: tuple[str, ...] = ()


def alternatives(
    architecture: Architecture,
    *,
    routing: Routing,
    workload: Workload,
    profile: HardwareProfile,
    offerings: Offerings,
    slo: Slo | None = None,
    gpu: Device = A100,
    cpu: Device = XEON_6348,
) -> tuple[AlternativeEstimate, ...]:
    """Every alternative under the same workload and prices.

    What the profile was measured on is taken from it; the other kind of processor from the stated
    device, and the notes say so. Where the price list has no price for GPU memory it costs three
    times as much as the main model's, the least ratio that the paper cites.

    Raises:
        ValueError: the routing is of another shape than the model.
    """
    estimates = []
    for alternative in Alternative:
        chosen, notes = _profile(alternative, architecture, profile, gpu, cpu)
        rented, more = _priced(alternative, offerings)
        plan = _plan(alternative, architecture, workload, offerings)
        estimate = estimate_plan(
            plan, routing=routing, workload=workload, profile=chosen, offerings=rented, slo=slo
        )
        notes = notes + more + _too_large(plan, gpu)
        estimates.append(
            AlternativeEstimate(alternative=alternative, plan=plan, estimate=estimate, notes=notes)
        )
    return tuple(estimates)


def _profile(
    alternative: Alternative,
    architecture: Architecture,
    profile: HardwareProfile,
    gpu: Device,
    cpu: Device,
) -> tuple[HardwareProfile, tuple[str, ...]]:
    given = profile.of_main(functions=False)
    if alternative is Alternative.CPU:
        if not profile.gpu:
            return given, ()
        return roofline(architecture, cpu), (f"times are stated: {cpu.source}",)
    stated = f"times on the GPU are stated, not measured: {gpu.source}"
    if alternative is Alternative.GPU:
        return roofline(architecture, gpu), (stated,)
    if profile.gpu:
        return given, ()
    mixed = roofline(architecture, gpu, cpu)
    own = replace(
        mixed,
        name=f"{gpu.name}, experts on {given.name}",
        local_expert=given.local_expert,
        main_cores=given.main_cores,
        request_seconds=given.request_seconds,
    )
    return own, (stated,)


def _priced(alternative: Alternative, offerings: Offerings) -> tuple[Offerings, tuple[str, ...]]:
    prices = offerings.prices
    if alternative is Alternative.CPU or prices.gpu_gib_second:
        return offerings, ()
    assumed = replace(prices, gpu_gib_second=_GPU_PRICE_RATIO * prices.main_gib_second)
    note = "the price list has none for GPU memory: three times the main model's is assumed"
    return replace(offerings, prices=assumed), (note,)


def _plan(
    alternative: Alternative, architecture: Architecture, workload: Workload, offerings: Offerings
) -> Plan:
    """Memory by eq. 7: weights, and for each token of the longest request its keys and values."""
    working = offerings.memory.main_working_bytes
    tokens = workload.max_prompt_tokens + workload.max_output_tokens
    cache = round(workload.concurrency * tokens * architecture.cache_bytes_per_token)
    experts = architecture.expert_count * architecture.expert_bytes
    match alternative:
        case Alternative.GPU:
            memory, gpu = working, architecture.total_bytes + cache
        case Alternative.CPU:
            memory, gpu = architecture.total_bytes + working, 0
        case Alternative.MIX:
            memory, gpu = experts + working, architecture.main_bytes + cache
    return Plan(
        architecture=architecture, functions=(), main_memory_bytes=memory, main_gpu_bytes=gpu
    )


def _too_large(plan: Plan, gpu: Device) -> tuple[str, ...]:
    devices = -(-plan.main_gpu_bytes // int(gpu.memory_bytes or 1))
    if devices <= 1 or not gpu.memory_bytes:
        return ()
    return (
        f"{plan.main_gpu_bytes / GIB:.0f} GiB do not fit one {gpu.name}: {devices} are needed, "
        "and are taken to be no faster than one",
    )
