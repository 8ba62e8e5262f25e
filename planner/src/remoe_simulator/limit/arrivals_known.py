"""What a placement costs where every second awake is paid for, if all requests are known before.

Each part is ready when it is needed, and between two stretches it is kept or stopped and started
anew, whichever takes less. For less, parts must be late, and clients wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.estimating.placed import Floats, Placed
from remoe_planner.memory import GIB
from remoe_simulator.day import Served
from remoe_simulator.limit.world import World
from remoe_simulator.simulated_request import SimulatedRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Awake:
    """What seconds awake cost.

    Attributes:
        starting: of parts that are not ready yet.
        ready: of those that are, and fees for calls.
    """

    starting: float
    ready: float

    @property
    def cost(self) -> float:
        return self.starting + self.ready


def with_arrivals_known(
    placed: Placed,
    requests: Sequence[SimulatedRequest],
    served: Sequence[Served],
    world: World,
) -> Awake:
    """Of all these requests together.

    Args:
        placed: one replica of each function is enough for it.
        requests: by arrival.
        served: how each of them fares alone.
        world: its machine and its prices.
    """
    profile, prices = world.profile, world.offerings.prices
    arrivals = np.array([request.arrival_seconds for request in requests])
    ends = arrivals + np.array([one.finished_seconds - one.arrival_seconds for one in served])
    main = placed.main_memory_bytes * prices.main_gib_second
    main = (main + placed.main_gpu_bytes * prices.gpu_gib_second) / GIB
    start = profile.main_start.of(placed.local_weight_bytes)
    starting, ready = _held(arrivals, ends, start)
    starting, ready = starting * main, ready * main
    begins, ends = _called(placed, requests, served)
    for function, memory in enumerate(placed.memory_bytes.tolist()):
        asked = np.isfinite(begins[:, function])
        start = profile.function_start.of(float(placed.weight_bytes[function]))
        more = _held(begins[asked, function], ends[asked, function], start)
        price = memory / GIB * prices.function_gib_second
        starting, ready = starting + more[0] * price, ready + more[1] * price
    return Awake(starting=starting, ready=ready + sum(one.busy.call_cost for one in served))


def _held(begins: Floats, ends: Floats, start_seconds: float) -> tuple[float, float]:
    """Seconds of starts, and seconds ready, of a part that is needed in these stretches.

    Args:
        begins: of stretches, which may overlap.
        ends: of the same.
        start_seconds: of a start.
    """
    if not len(begins):
        return 0.0, 0.0
    order = np.argsort(begins, kind="stable")
    begins, latest = begins[order], np.maximum.accumulate(ends[order])
    pauses = np.maximum(begins[1:] - latest[:-1], 0.0)
    stopped = pauses > start_seconds
    whole = float(latest[-1] - begins[0])
    starts = 1 + int(stopped.sum())
    return starts * start_seconds, whole - float(pauses[stopped].sum())


def _called(
    placed: Placed, requests: Sequence[SimulatedRequest], served: Sequence[Served]
) -> tuple[Floats, Floats]:
    """First call and last answer, [requests, functions]; infinite where there is none."""
    shape = (len(requests), placed.functions)
    begins, ends = np.full(shape, np.inf), np.full(shape, -np.inf)
    for row, (request, one) in enumerate(zip(requests, served, strict=True)):
        first, last = _steps(placed, request)
        asked = np.isfinite(first)
        since = request.arrival_seconds + one.ttft_seconds
        # The prompt is a step of its own: from the arrival to the first token.
        early = np.where(first < 0, request.arrival_seconds, since + one.tpot_seconds * first)
        begins[row, asked] = early[asked]
        ends[row, asked] = (since + one.tpot_seconds * (last + 1))[asked]
    return begins, ends


def _steps(placed: Placed, request: SimulatedRequest) -> tuple[Floats, Floats]:
    """First and last step that calls each function, [functions]; -1 is the prompt."""
    layers = np.arange(len(placed.homes))[:, None]
    homes: NDArray[np.intp] = placed.homes[layers, request.answer_picks.astype(np.intp)]
    steps = np.broadcast_to(np.arange(request.steps)[:, None, None], homes.shape).ravel()
    first, last = np.full(placed.functions + 1, np.inf), np.full(placed.functions + 1, -np.inf)
    # Of an index that comes several times the last value stays.
    first[homes.ravel()[::-1]] = steps[::-1]
    last[homes.ravel()] = steps
    prompt = np.unique(placed.homes[request.prompt_counts > 0])
    first[prompt] = -1
    last[prompt] = np.maximum(last[prompt], -1)
    return first[1:], last[1:]
