"""From a placement to a contender: what it is expected to do, and what a reader must know of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from remoe_planner.demand.slo import Slo
from remoe_planner.estimating.estimate_plan import estimate_plan
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.memory import GIB
from remoe_planner.plan import Plan
from remoe_planner.planning.promise import shortfalls
from remoe_simulator.contender import Contender, Waking
from remoe_simulator.contenders.setting import GPU_PRICE_RATIO, Setting


def contender(
    setting: Setting,
    name: str,
    plan: Plan,
    profile: HardwareProfile,
    *,
    waking: Waking = Waking.WHEN_CALLED,
    slo: Slo | None = None,
    notes: Iterable[str] = (),
) -> Contender:
    """A contender whose plan carries its estimate.

    Args:
        setting: what all contenders have in common.
        name: as tables call it.
        plan: where experts are; estimated here where it is not yet.
        profile: how long its modules take.
        waking: who wakes functions.
        slo: what its fast loop is told to keep.
        notes: what a reader must know; what is stated, dear or missed is added.
    """
    gpu = plan.main_gpu_bytes > 0
    offerings = setting.rented(gpu=gpu)
    estimate = plan.estimate or estimate_plan(
        plan,
        routing=setting.routing,
        workload=setting.workload,
        profile=profile,
        offerings=offerings,
        slo=setting.slo,
    )
    missed = [shortfall.sentence for shortfall in shortfalls(estimate, setting.slo)]
    return Contender(
        name=name,
        plan=replace(plan, estimate=estimate),
        profile=profile,
        prices=offerings.prices,
        waking=waking,
        main_keep_alive_seconds=offerings.main_keep_alive_seconds,
        slo=slo,
        note=" ".join([*notes, *_gpu_notes(setting, plan, profile), *missed]),
    )


def _gpu_notes(setting: Setting, plan: Plan, profile: HardwareProfile) -> list[str]:
    if not plan.main_gpu_bytes:
        return []
    notes = []
    if not profile.measured and not setting.machine.main_on_gpu:
        notes.append("Times on the GPU are stated, not measured.")
    if setting.assumes_gpu_price:
        notes.append(f"GPU memory is taken to cost {GPU_PRICE_RATIO:g} times other memory.")
    device = setting.machine.gpu
    count = -(-plan.main_gpu_bytes // int(device.memory_bytes))
    if count > 1:
        notes.append(
            f"{plan.main_gpu_bytes / GIB:.0f} GiB do not fit one {device.name}: {count} are "
            "needed, and are taken to be no faster than one."
        )
    return notes
