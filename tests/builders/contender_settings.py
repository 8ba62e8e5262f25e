"""Settings in which contenders are compared: published models, tiny ones, drawn routing."""

from __future__ import annotations

from dataclasses import replace

from builders.planning_worlds import a_profile, a_routing, a_world

from remoe_planner.demand.slo import Slo
from remoe_simulator.contenders.paper import PAPER_WORKLOAD, paper_offerings
from remoe_simulator.contenders.setting import Setting
from remoe_simulator.machines import PAPER_SERVER, MeasuredMachine
from remoe_simulator.models import MODELS


def a_paper_setting(model="deepseek-v2-lite", *, price_ratio=3.0, seed=0, **more):
    """The paper's requests and sizes; promises nothing unless told."""
    architecture = MODELS[model]
    given = {
        "architecture": architecture,
        "machine": PAPER_SERVER,
        "routing": a_routing(architecture, seed, skew=3.0, samples=10, tokens=325),
        "workload": PAPER_WORKLOAD,
        "slo": Slo(),
        "offerings": paper_offerings(architecture, price_ratio=price_ratio),
    }
    return Setting(**given | more)


def a_measured_setting(**more):
    """A tiny model on a machine without a GPU, as if it had been measured."""
    world = a_world()
    profile = replace(a_profile(), measured=True, name="somebody's laptop")
    given = {name: world[name] for name in ("architecture", "routing", "workload", "slo")}
    given |= {"offerings": world["offerings"], "machine": MeasuredMachine(profile=profile)}
    return Setting(**given | more)
