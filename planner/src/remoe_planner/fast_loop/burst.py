"""How many replicas the burst of a prefill is worth.

A replica computes its experts one after the other, so a layer's makespan over z replicas lies
between max(longest task, work / z) and 4/3 of it (LPT). Only what a layer waits for counts: time
beyond its local experts and its other functions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remoe_planner.fast_loop.demand import FunctionDemand
from remoe_planner.fast_loop.function_table import FunctionTable
from remoe_planner.fast_loop.situation import PassTimes, Standing, Worth


def burst_replicas(
    table: FunctionTable,
    demand: FunctionDemand,
    times: PassTimes,
    standing: Standing,
    *,
    late_seconds: NDArray[np.float64],
    second_price: float,
    worth: Worth,
) -> NDArray[np.int64]:
    """Replicas of each function, as long as one more saves more than it costs (eq. 15).

    Args:
        table: the plan's functions.
        demand: of the request.
        times: how long things take.
        standing: what there is.
        late_seconds: [functions] how long after the first pass a new replica is there.
        second_price: what a second saved is worth.
        worth: what a second of a replica costs.
    """
    most = int(table.max_replicas.max(initial=1))
    if most == 1 or not demand.layer_rows.any():
        return np.ones(len(table), np.int64)
    floor = _beside(table, demand, times)
    exposed = np.stack([_exposed(table, demand, times, floor, z) for z in range(1, most + 1)])
    prefill_seconds = max(demand.prompt_tokens * times.token_seconds, _TINY)
    in_time = 1 - np.clip(late_seconds / prefill_seconds, 0.0, 1.0)
    gain = (exposed[:-1] - exposed[1:]) * in_time * second_price
    each = standing.start_seconds + table.keep_alive_seconds
    price = worth.function_gib_second * table.memory_gib * each
    worthwhile = np.logical_and.accumulate(gain > price, axis=0)
    return np.asarray(np.minimum(1 + worthwhile.sum(axis=0), table.max_replicas))


def _exposed(
    table: FunctionTable,
    demand: FunctionDemand,
    times: PassTimes,
    floor: NDArray[np.float64],
    replicas: int,
) -> NDArray[np.float64]:
    """Seconds of the prefill that wait for each function alone, [functions]."""
    makespan = np.maximum(demand.busiest_rows, demand.layer_rows / replicas)
    waiting = np.maximum(makespan * times.remote_row_seconds - floor, 0.0)
    return table.by_function(waiting)


def _beside(table: FunctionTable, demand: FunctionDemand, times: PassTimes) -> NDArray[np.float64]:
    """What goes on beside each row: [rows]: the slowest other function, or local experts."""
    layer, layers = table.row_layer, table.shape[0]
    seconds = demand.layer_rows * times.remote_row_seconds
    slowest, next_slowest = np.zeros(layers), np.zeros(layers)
    np.maximum.at(slowest, layer, seconds)
    is_slowest = seconds >= slowest[layer]
    np.maximum.at(next_slowest, layer[~is_slowest], seconds[~is_slowest])
    shared = np.bincount(layer[is_slowest], minlength=layers) > 1
    others = np.where(is_slowest & ~shared[layer], next_slowest[layer], slowest[layer])
    remote = np.bincount(layer, weights=demand.layer_rows, minlength=layers)
    local = demand.prompt_tokens * table.top_k - remote
    return np.maximum(others, np.maximum(local, 0.0)[layer] * times.local_row_seconds)


_TINY = 1e-9
