"""One place where a bound's name becomes bounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remoe_planner.demand.routing import Routing
from remoe_planner.preallocation.bound import Bound, Promise, TokenBounds
from remoe_planner.preallocation.hoeffding import CorrectedBounds, PrintedBounds
from remoe_planner.preallocation.quantile import QuantileBounds
from remoe_planner.preallocation.sets import expert_columns, least_used_columns
from remoe_planner.preallocation.share_aware import ShareAwareBounds


def token_bounds(
    bound: Bound,
    routing: Routing,
    *,
    shares: NDArray[np.float64],
    order: NDArray[np.int64],
    top_k: int,
    promise: Promise | None = None,
) -> TokenBounds:
    """Bounds made ready.

    Args:
        bound: which.
        routing: past prompts.
        shares: [layers, experts] of the phase asked about (`routing.prefill`, `routing.decode`,
            or a forecast's frequencies).
        order: [layers, experts], each layer's experts, least used first.
        top_k: experts each token visits in a layer.
        promise: how sure, and of what; 0.95 of each expert and set by default.

    Raises:
        ValueError: shares or order have another shape than the routing, or top_k is impossible.
    """
    for name, table in (("shares", shares), ("order", order)):
        if table.shape != routing.shape:
            raise ValueError(f"{name} must have shape {routing.shape}, got {table.shape}")
    if not 1 <= top_k <= routing.shape[1]:
        raise ValueError(f"top_k must be in 1..{routing.shape[1]}, got {top_k}")
    promise = promise or Promise()
    if bound is Bound.PRINTED:
        return PrintedBounds(routing.shape, promise)
    if bound is Bound.CORRECTED:
        return CorrectedBounds(routing.shape, top_k, promise)
    made = ShareAwareBounds if bound is Bound.SHARE_AWARE else QuantileBounds
    return made(
        expert_columns(routing, shares, top_k),
        least_used_columns(routing, shares, order, top_k),
        order=order,
        top_k=top_k,
        promise=promise,
    )
