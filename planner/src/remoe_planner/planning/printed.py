"""The paper's five steps as printed, where they are well defined (remoe.md 1.7 to 1.10).

1. MMP gives the share b of every layer's experts that may be remote, and the main model's memory
2. the b K least used experts of each layer leave it, into one function a layer
3. functions take the memory that the Lagrangian dual gives, rounded to the grid with repair
4. LPT over the fewest replicas that the payload allows, more of them by potential (eq. 15)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remoe_planner.memory import GIB
from remoe_planner.planning.outcome import Outcome, nothing_fits
from remoe_planner.planning.placing import Candidate, layer_homes, on_grid, place
from remoe_planner.planning.printed_spread import Spread
from remoe_planner.planning.problem import Problem
from remoe_planner.preallocation.preallocation import PRINTED_KNOBS, Preallocation, preallocate
from remoe_planner.replication.potential import raise_by_potential
from remoe_planner.sizing.decaying_time import DecayingTime
from remoe_planner.sizing.dual import SizingProblem, solve_dual
from remoe_planner.sizing.rounding import round_to_grid


def choose_printed(problem: Problem) -> Outcome:
    """The paper's plan.

    Where a layer's remote experts do not fit the largest function, as many of the more used ones
    stay local as must.

    Raises:
        ValueError: the local experts do not fit the largest main memory.
    """
    allocated = problem.preallocation or _preallocated(problem)
    remote = _remote_counts(problem, allocated)
    homes = layer_homes(problem, remote)
    memory = _memory(problem, remote)
    replicas = _replicas(problem, remote, memory)
    placed = place(
        problem,
        homes,
        memory_bytes=memory[remote > 0],
        max_replicas=np.maximum(replicas, 1)[remote > 0],
    )
    if placed is None:
        raise nothing_fits(problem)
    share = 100 * allocated.remote_share
    origin = f"As printed: the {share:.0f} % least used experts of each layer are remote"
    return Outcome.of(problem, Candidate(placed=placed, origin=origin))


def _preallocated(problem: Problem) -> Preallocation:
    return preallocate(
        problem.architecture,
        problem.routing,
        problem.profile,
        problem.offerings,
        workload=problem.workload,
        slo=problem.slo,
        knobs=PRINTED_KNOBS,
    )


def _remote_counts(problem: Problem, allocated: Preallocation) -> NDArray[np.intp]:
    """[layers], b K of each, as many as one function holds; none beyond max_functions layers."""
    offerings, expert_bytes = problem.offerings, problem.architecture.expert_bytes
    counts = np.minimum(
        np.array(allocated.remote_counts), max(offerings.function_room_bytes // expert_bytes, 0)
    )
    counts[offerings.max_functions :] = 0
    return np.asarray(counts, np.intp)


def _shares(problem: Problem, remote: NDArray[np.intp]) -> NDArray[np.float64]:
    """[layers], s~_l: expected share of the layer's assignments on its remote experts."""
    ordered = np.take_along_axis(problem.routing.prefill, problem.order, axis=1)
    sums = np.cumsum(np.pad(ordered, ((0, 0), (1, 0))), axis=1)
    return np.asarray(np.take_along_axis(sums, remote[:, None], axis=1)[:, 0])


def _memory(problem: Problem, remote: NDArray[np.intp]) -> NDArray[np.float64]:
    """[layers], bytes of each layer's function (step 3); 0 where it has none."""
    layers = np.flatnonzero(remote)
    memory = np.zeros(len(remote))
    if len(layers):
        sizes = problem.offerings.function_memory.sizes / GIB
        sizing = _sizing(problem, remote, layers, sizes)
        budget = _remote_budget(problem)
        gib = solve_dual(sizing, budget).gib
        memory[layers] = round_to_grid(sizing, gib, sizes, budget) * GIB
    return memory


def _sizing(
    problem: Problem,
    remote: NDArray[np.intp],
    layers: NDArray[np.intp],
    sizes: NDArray[np.float64],
) -> SizingProblem:
    offerings, profile, top_k = problem.offerings, problem.profile, problem.architecture.top_k
    cores = offerings.function_cores(sizes * GIB)
    seconds = top_k * profile.remote_expert.seconds(1.0, cores)
    if len(sizes) > 1:
        time = DecayingTime.fit(sizes, seconds)
    else:
        time = DecayingTime(gain_seconds=0.0, rate_per_gib=1.0, floor_seconds=float(seconds[0]))
    needed = remote[layers].astype(np.float64) * problem.architecture.expert_bytes
    least = on_grid(problem, needed + float(offerings.memory.function_working_bytes))
    if least is None:
        raise nothing_fits(problem)
    main_bytes = problem.main_memory.size(problem.architecture.expert_count - int(remote.sum()))
    prices = offerings.prices
    main_price = main_bytes * prices.main_gib_second
    gpu_price = problem.main_gpu_bytes * prices.gpu_gib_second
    return SizingProblem(
        time=time,
        shares=np.maximum(_shares(problem, remote)[layers], _LEAST_SHARE),
        call_seconds=np.full(len(layers), profile.call.mean_seconds),
        least_gib=least / GIB,
        most_gib=np.full(len(layers), sizes[-1]),
        main_price=(main_price + gpu_price) / GIB,
        gib_price=max(prices.function_gib_second, _LEAST_PRICE),
    )


def _remote_budget(problem: Problem) -> float | None:
    """What TPOT leaves for the remote path of all layers (eq. 5 without its max)."""
    if problem.slo.tpot_seconds is None:
        return None
    profile, work = problem.profile, problem.workload
    context = work.max_prompt_tokens + work.max_output_tokens / 2
    layer = float(profile.module.at(1.0) + 2 * profile.handover.at(1.0))
    layers = len(problem.architecture.layers)
    beside = layers * (layer + context * profile.context_seconds) + float(profile.step.at(1.0))
    return max(problem.slo.tpot_seconds - beside, 0.0)


def _replicas(
    problem: Problem, remote: NDArray[np.intp], memory: NDArray[np.float64]
) -> NDArray[np.int64]:
    """[layers], z (step 4); 0 where a layer has no function."""
    spread = Spread.of(problem, remote, memory)
    return raise_by_potential(
        spread.fewest(problem),
        most=problem.offerings.max_replicas,
        cost=spread.cost,
        worst_seconds=spread.worst_first_token,
        promised_seconds=problem.slo.ttft_seconds,
    )


_LEAST_SHARE = 1e-9
_LEAST_PRICE = 1e-12
