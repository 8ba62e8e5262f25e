"""Those that plan for an SLO: Remoe as we plan it, and as the paper prints it."""

from __future__ import annotations

from collections.abc import Iterable

from remoe_planner.method import Method
from remoe_planner.offerings import Offerings
from remoe_planner.planning.make_plan import make_plan
from remoe_planner.preallocation.preallocation import Preallocation
from remoe_simulator.contender import Contender, ContenderName, Waking
from remoe_simulator.contenders.judging import contender
from remoe_simulator.contenders.setting import Setting


def ours(setting: Setting) -> Contender:
    """Remoe: the cheapest plan that our method finds, functions woken by forecasts."""
    return planned(setting, ContenderName.OURS, Method.MARGINAL)


def ours_without_gpu(setting: Setting) -> Contender:
    """The same with a main model on CPUs, where the others rent a GPU."""
    note = "The main model is on CPUs, too."
    return planned(setting, NO_GPU, Method.MARGINAL, gpu=False, notes=(note,))


NO_GPU = f"{ContenderName.OURS}, no GPU"


def printed(setting: Setting) -> Contender:
    """Remoe as printed: the paper's five steps, functions started as a request comes."""
    return planned(setting, ContenderName.PRINTED, Method.PRINTED)


def planned(
    setting: Setting,
    name: str,
    method: Method,
    *,
    offerings: Offerings | None = None,
    preallocation: Preallocation | None = None,
    waking: Waking = Waking.FORECAST,
    gpu: bool = True,
    notes: Iterable[str] = (),
) -> Contender:
    """What a method makes of the setting.

    Args:
        setting: what all contenders have in common.
        name: as tables call it.
        method: of planning.
        offerings: what can be rented, where it is less than the setting's.
        preallocation: MMP's answer for the printed method.
        waking: who wakes functions.
        gpu: whether the main model has one, where the machine has.
        notes: what a reader must know.

    Raises:
        ValueError: nothing fits what is on offer.
    """
    with_gpu = gpu and setting.machine.main_on_gpu
    profile = setting.beside_functions if gpu else setting.on_cpu
    made = make_plan(
        setting.architecture,
        method=method,
        routing=setting.routing,
        workload=setting.workload,
        slo=setting.slo,
        profile=profile,
        offerings=offerings or setting.rented(gpu=with_gpu),
        preallocation=preallocation,
    )
    return contender(setting, name, made.plan, profile, waking=waking, slo=setting.slo, notes=notes)
