"""Placements as arrays, made from which experts are remote and who serves them; and the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from remoe_planner.estimate import Estimate
from remoe_planner.estimating.placed import Placed
from remoe_planner.experts import ExpertId
from remoe_planner.method import Method
from remoe_planner.plan import FunctionPlan, Plan
from remoe_planner.planning.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidate:
    """A placement and where it comes from.

    Attributes:
        placed: its arrays.
        origin: how it was made, in words.
    """

    placed: Placed
    origin: str


def place(
    problem: Problem,
    homes: NDArray[np.intp],
    *,
    memory_bytes: ArrayLike | None = None,
    min_replicas: ArrayLike = 0,
    max_replicas: ArrayLike = 1,
) -> Placed | None:
    """A placement with these homes, or None where something is larger than what is on offer.

    Args:
        problem: what is planned.
        homes: int [layers, experts], 0 local, functions numbered from 1, none empty.
        memory_bytes: [functions], at least; what the experts need where they need more or where
            it is None. Rounded up to the grid.
        min_replicas: [functions] or one number for all.
        max_replicas: the same.
    """
    offerings, architecture = problem.offerings, problem.architecture
    counts = np.bincount(homes.ravel(), minlength=1)
    local, served = int(counts[0]), counts[1:]
    if len(served) > offerings.max_functions:
        return None
    if not problem.main_memory.fits(np.array(local)):
        return None
    needed = served * architecture.expert_bytes + offerings.memory.function_working_bytes
    wanted = np.maximum(needed, 0 if memory_bytes is None else np.asarray(memory_bytes))
    memory = on_grid(problem, wanted)
    if memory is None:
        return None
    return Placed(
        architecture=architecture,
        homes=homes,
        memory_bytes=memory,
        cores=offerings.function_cores(memory),
        weight_bytes=np.asarray(served * architecture.expert_bytes, np.float64),
        min_replicas=np.broadcast_to(np.asarray(min_replicas, float), served.shape),
        replicas=np.broadcast_to(np.asarray(max_replicas, float), served.shape),
        keep_alive_seconds=np.full(len(served), offerings.function_keep_alive_seconds),
        main_memory_bytes=problem.main_memory.size(local),
        main_gpu_bytes=problem.main_gpu_bytes,
    )


def on_grid(problem: Problem, wanted: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Function sizes rounded up to the grid; None where one is larger than the largest."""
    grid = problem.offerings.function_memory
    steps = np.maximum(np.ceil((wanted - grid.least_bytes) / grid.step_bytes), 0)
    sizes = np.asarray(grid.least_bytes + steps * grid.step_bytes, np.float64)
    return None if sizes.size and sizes.max() > grid.most_bytes else sizes


def layer_homes(problem: Problem, remote: NDArray[np.intp]) -> NDArray[np.intp]:
    """One function for each layer that has any remote expert: its least used ones.

    Args:
        problem: what is planned.
        remote: [layers], remote experts of each.
    """
    numbers = np.where(remote > 0, np.cumsum(remote > 0), 0)
    ranks = np.argsort(problem.order, axis=1)
    return np.where(ranks < remote[:, None], numbers[:, None], 0)


def resident_homes(problem: Problem) -> NDArray[np.intp]:
    """Every expert local."""
    return np.zeros(problem.architecture.shape, np.intp)


def to_plan(
    placed: Placed,
    method: Method,
    *,
    estimate: Estimate | None = None,
    binding: tuple[str, ...] = (),
    reasons: tuple[str, ...] = (),
) -> Plan:
    """The plan of a placement."""
    return Plan(
        architecture=placed.architecture,
        functions=_functions(placed),
        main_memory_bytes=placed.main_memory_bytes,
        main_gpu_bytes=placed.main_gpu_bytes,
        method=method,
        estimate=estimate,
        binding=binding,
        reasons=reasons,
    )


def _functions(placed: Placed) -> tuple[FunctionPlan, ...]:
    experts = _experts(placed)
    return tuple(
        FunctionPlan(
            name=name,
            experts=experts[number],
            memory_bytes=int(placed.memory_bytes[number]),
            min_replicas=int(placed.min_replicas[number]),
            max_replicas=int(placed.replicas[number]),
            keep_alive_seconds=float(placed.keep_alive_seconds[number]),
            cores=float(placed.cores[number]),
        )
        for number, name in enumerate(_names(experts))
    )


def _experts(placed: Placed) -> list[tuple[ExpertId, ...]]:
    """Of each function, ascending."""
    shape = placed.architecture
    names = _all_experts(shape.layers, shape.experts_per_layer)
    # Small numbers are sorted many times faster.
    homes = placed.homes.ravel().astype(np.uint16 if placed.functions < 1 << 16 else np.intp)
    order = np.argsort(homes, kind="stable")
    edges = np.searchsorted(homes[order], np.arange(1, placed.functions + 2))
    ordered = names[order]
    return [tuple(ordered[start:end].tolist()) for start, end in pairwise(edges.tolist())]


@lru_cache(maxsize=4)
def _all_experts(layers: tuple[int, ...], experts: int) -> NDArray[np.object_]:
    """Every expert, layer by layer; made once for a model, since re-planning needs them again."""
    names = np.empty(len(layers) * experts, np.object_)
    names[:] = [ExpertId(layer, index) for layer in layers for index in range(experts)]
    return names


def _names(experts: Sequence[tuple[ExpertId, ...]]) -> tuple[str, ...]:
    """After the layer where each function has one of its own, by number otherwise."""
    # Ascending, so the ends tell whether there is one layer.
    alone = [served[0].layer for served in experts if served[0].layer == served[-1].layer]
    if len(alone) == len(experts) == len(set(alone)):
        return tuple(f"layer-{layer}" for layer in alone)
    return tuple(f"experts-{number}" for number in range(1, len(experts) + 1))
