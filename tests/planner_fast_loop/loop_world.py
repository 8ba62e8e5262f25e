"""A tiny model: function f0 serves the popular remote experts, f1 the rare ones."""

from __future__ import annotations

import numpy as np

from remoe_planner.architecture import Architecture
from remoe_planner.experts import ExpertId
from remoe_planner.fast_loop.demand import Phase
from remoe_planner.fast_loop.function_table import FunctionTable
from remoe_planner.fast_loop.situation import PassTimes, Standing, Worth
from remoe_planner.fast_loop.wake_choice import choose_wakes
from remoe_planner.memory import GIB
from remoe_planner.plan import FunctionPlan, Plan

LAYERS, EXPERTS, TOP_K = 2, 8, 2
POPULAR, RARE = (4, 5), (6, 7)
SPREAD = np.tile([0.2, 0.2, 0.2, 0.199, 0.1, 0.1, 0.0005, 0.0005], (LAYERS, 1))


def architecture(**changes):
    values = {
        "name": "tiny",
        "revision": "r",
        "layers": (1, 2),
        "experts_per_layer": EXPERTS,
        "top_k": TOP_K,
        "hidden_size": 64,
        "expert_bytes": 1 << 20,
        "main_bytes": 10 << 20,
    }
    return Architecture(**(values | changes))


def function(name, indices, layers=(1, 2), **changes):
    experts = tuple(ExpertId(layer, index) for layer in layers for index in indices)
    values = {"memory_bytes": GIB, "max_replicas": 4, "keep_alive_seconds": 60.0}
    return FunctionPlan(name=name, experts=experts, **(values | changes))


def plan(*functions, **changes):
    functions = functions or (function("f0", POPULAR), function("f1", RARE))
    return Plan(
        architecture=architecture(), functions=functions, main_memory_bytes=4 * GIB, **changes
    )


def standing(replicas=(0, 0), *, start=2.0, **changes):
    count = len(replicas)
    return Standing(
        replicas=np.array(replicas, np.int64), start_seconds=np.full(count, start), **changes
    )


def worth(**changes):
    return Worth(**({"function_gib_second": 1.0, "main_second": 1.0} | changes))


def chosen(*, made=None, stands=None, times=None, value=None, prompt=50, answer=50, spread=SPREAD):
    return choose_wakes(
        FunctionTable.of(made or plan()),
        stands or standing(main_ready_seconds=10.0),
        times or PassTimes(touch_seconds=0.2),
        value or worth(),
        prompt=Phase(frequencies=spread, tokens=prompt),
        answer=Phase(frequencies=spread, tokens=answer),
    )
