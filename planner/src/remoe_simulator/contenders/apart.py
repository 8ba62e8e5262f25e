"""Those with every routed expert in a function that nobody plans: one for each, or for a layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from remoe_planner.estimating.placed import Placed
from remoe_planner.memory import MIB
from remoe_planner.method import Method
from remoe_planner.offerings import Offerings
from remoe_planner.planning.outcome import Outcome, nothing_fits, rank
from remoe_planner.planning.placing import Candidate, place, to_plan
from remoe_planner.planning.problem import Problem
from remoe_simulator.contender import Contender, ContenderName
from remoe_simulator.contenders.judging import contender
from remoe_simulator.contenders.setting import Setting, Sizing


def function_per_expert(setting: Setting) -> Contender:
    """Every expert a function of its own, as serverless MoE before the paper has it."""
    homes = np.arange(1, setting.architecture.expert_count + 1).reshape(setting.architecture.shape)
    return _apart(setting, ContenderName.PER_EXPERT, homes, replicas=1)


def function_per_layer(setting: Setting) -> Contender:
    """A function for all experts of a layer, woken when it is called."""
    layers, experts = setting.architecture.shape
    homes = np.repeat(np.arange(1, layers + 1)[:, None], experts, axis=1)
    most = setting.offerings.max_replicas
    return _apart(setting, ContenderName.PER_LAYER, homes, replicas=most)


def smallest_memory(setting: Setting) -> tuple[Contender, ...]:
    """Both of them where functions have what holds their experts and no more."""
    least = replace(setting, sizing=Sizing.SMALLEST)
    return tuple(
        replace(one, name=f"{one.name}, smallest memory")
        for one in (function_per_expert(least), function_per_layer(least))
    )


def _apart(
    setting: Setting, name: ContenderName, homes: NDArray[np.intp], *, replicas: int
) -> Contender:
    profile, gpu = setting.beside_functions, setting.machine.main_on_gpu
    held = int(np.bincount(homes.ravel()).max())
    offered = setting.rented(gpu=gpu)
    allowed = _allowed(setting, offered, int(homes.max()), held)
    problem = replace(setting.problem(profile, gpu=gpu), offerings=allowed)
    best = _sized(problem, homes, replicas, setting.sizing)
    plan = replace(to_plan(best, Method.PRINTED), method=None)
    larger = allowed.function_memory.most_bytes > offered.function_memory.most_bytes
    notes = [KINDLY] if setting.sizing is Sizing.CHEAPEST else []
    notes += ["Its functions are larger than those on offer."] if larger else []
    return contender(setting, name, plan, profile, notes=notes)


def _allowed(setting: Setting, offered: Offerings, functions: int, held: int) -> Offerings:
    """The offerings with as many functions as it takes, in sizes that hold their experts."""
    grid = offered.function_memory
    needed = offered.memory.of_function(setting.architecture, held)
    steps = max(-(-(needed - grid.most_bytes) // grid.step_bytes), 0)
    return replace(
        offered,
        max_functions=max(functions, offered.max_functions),
        function_memory=replace(grid, most_bytes=grid.most_bytes + steps * grid.step_bytes),
    )


def _sized(problem: Problem, homes: NDArray[np.intp], replicas: int, sizing: Sizing) -> Placed:
    grid = problem.offerings.function_memory
    sizes = grid.sizes[:1]
    if sizing is Sizing.CHEAPEST:
        more = np.geomspace(sizes[0], grid.sizes[-1], SIZES)
        sizes = grid.sizes[np.unique(np.searchsorted(grid.sizes, more - MIB))]
    found = [
        placed
        for size in sizes.tolist()
        if (placed := place(problem, homes, memory_bytes=float(size), max_replicas=replicas))
    ]
    if not found:
        raise nothing_fits(problem)
    outcomes = [Outcome.of(problem, Candidate(placed=one, origin="by hand")) for one in found]
    return min(outcomes, key=lambda outcome: rank(problem, outcome)).placed


SIZES = 12
"""Looked at where the cheapest is wanted."""

KINDLY = "The size of its functions is the one that our estimator finds best."
