"""Tiny models on a machine, and requests whose tokens prefer some experts, as real ones do."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from builders.planning_worlds import a_profile, a_routing, some_offerings

from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.memory import MIB
from remoe_planner.offerings import MemoryGrid
from remoe_simulator.limit.world import World
from remoe_simulator.simulated_request import SimulatedRequest

GRID = MemoryGrid(least_bytes=100 * MIB, most_bytes=2100 * MIB, step_bytes=200 * MIB)


def a_request(architecture, seed, prompt=24, steps=30, chunk=16, arrival=0.0):
    chance = np.random.default_rng(seed)
    layers, experts = architecture.shape
    liked = chance.gumbel(size=(layers, experts))
    noise = chance.gumbel(size=(prompt + steps, layers, experts))
    picks = np.argsort(-(liked + noise), axis=2)[..., : architecture.top_k]
    sizes = [chunk] * (prompt // chunk) + ([prompt % chunk] if prompt % chunk else [])
    starts = np.cumsum([0, *sizes])
    rows = np.zeros((len(sizes), layers, experts), np.uint16)
    for number, (begin, end) in enumerate(pairwise(starts)):
        for layer in range(layers):
            chosen = picks[begin:end, layer].ravel()
            rows[number, layer] = np.bincount(chosen, minlength=experts)
    return SimulatedRequest(
        name=str(seed),
        arrival_seconds=arrival,
        chunk_tokens=tuple(sizes),
        chunk_rows=rows,
        answer_picks=picks[prompt:].astype(np.uint16),
    )


def a_world_of(architecture, *, profile=None, **offered):
    offerings = some_offerings(function_memory=GRID, main_memory=GRID, **offered)
    world = World(
        architecture=architecture,
        profile=profile or a_profile(prefill_chunk=16, deviation=1e-4),
        offerings=offerings,
        slo=Slo(),
    )
    return world.certain()


def a_problem(world, request):
    work = Workload(
        prompt_tokens=request.prompt_tokens,
        output_tokens=request.steps,
        max_prompt_tokens=request.prompt_tokens,
        max_output_tokens=request.steps,
    )
    return world.problem(a_routing(world.architecture), work)
