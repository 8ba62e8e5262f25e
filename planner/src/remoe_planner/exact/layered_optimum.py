"""The cheapest plan with a function for each layer, over every size of the main model.

Cost is main memory times time, so it is linear only for a given size: one integer program for
each. Exact where the promises are sums too: no luck of calls, no spread of requests, and functions
that are awake when they are needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.billing import Billing
from remoe_planner.estimating.decoding import MODEL_ERROR
from remoe_planner.exact.multiple_choice import Bounded, exact_picks
from remoe_planner.planning.layer_options import Amount, LayerOptions
from remoe_planner.planning.layered import ledger_of
from remoe_planner.planning.ledger import Ledger
from remoe_planner.planning.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Optimum:
    """The cheapest choice.

    Attributes:
        picks: [layers], options.
        cost: of a typical request.
    """

    picks: NDArray[np.intp]
    cost: float


def layered_optimum(
    problem: Problem, options: LayerOptions, known: Optimum | None = None
) -> Optimum | None:
    """The optimum, or None where nothing keeps the promise.

    Args:
        problem: what is planned.
        options: of every layer.
        known: a choice inside the promise; sizes that cannot beat it are not looked into.

    Raises:
        ValueError: the problem's promises are no sums.
    """
    _check(problem)
    ledger, choices = ledger_of(problem, options), options.choices
    amounts = choices.amounts
    best = known
    for local, price in _sizes(ledger, amounts):
        weights = _weights(problem, price)
        fixed = price * float(_seconds(problem, ledger, np.zeros((len(Amount), 1)))[0])
        floor = fixed + np.tensordot(weights, amounts, axes=1).min(axis=1).sum()
        if best is not None and floor >= best.cost:
            continue
        picks = exact_picks(choices, weights, _bounds(problem, ledger, local))
        if picks is None:
            continue
        cost = float(ledger.score(choices.totals(picks[None])).cost[0])
        if best is None or cost < best.cost:
            best = Optimum(picks=picks, cost=cost)
    return best


def _sizes(ledger: Ledger, amounts: NDArray[np.float64]) -> list[tuple[int, float]]:
    """(local experts at most, price of a second) of each main model on offer, dearest last."""
    most = int(amounts[Amount.LOCAL_EXPERTS].max(axis=1).sum())
    local = np.arange(most + 1)
    prices = ledger.main_price(local.astype(float))
    last = np.append(np.flatnonzero(np.diff(prices) > 0), most)
    return [(int(local[i]), float(prices[i])) for i in last if np.isfinite(prices[i])]


def _seconds(problem: Problem, ledger: Ledger, totals: NDArray[np.float64]) -> NDArray[np.float64]:
    if problem.offerings.billing is Billing.BUSY:
        return ledger.main_seconds(totals)
    return ledger.awake_seconds(totals)[0]


def _weights(problem: Problem, price: float) -> NDArray[np.float64]:
    work = problem.workload
    weights = np.zeros(len(Amount))
    weights[Amount.FUNCTION_COST] = 1.0
    if problem.offerings.billing is Billing.BUSY:
        weights[Amount.PREFILL] = price
        weights[Amount.DECODE] = price * work.output_tokens / work.concurrency
    return weights


def _bounds(problem: Problem, ledger: Ledger, local: int) -> tuple[Bounded, ...]:
    slo = problem.slo
    bounds = [
        _bound(Amount.LOCAL_EXPERTS, float(local)),
        _bound(Amount.FUNCTIONS, float(problem.offerings.max_functions)),
    ]
    if slo.ttft_seconds is not None:
        bounds.append(_bound(Amount.LONG_PREFILL, slo.ttft_seconds - ledger.long_first_seconds))
    if slo.tpot_seconds is not None:
        bounds.append(_of_step(slo.tpot_seconds - ledger.long_step_seconds))
    return tuple(bounds)


def _bound(amount: Amount, most: float) -> Bounded:
    weights = np.zeros(len(Amount))
    weights[amount] = 1.0
    return Bounded(weights=weights, most=most)


def _of_step(most: float) -> Bounded:
    """Seconds of the experts in a step, as late as they may be."""
    weights = np.zeros(len(Amount))
    weights[Amount.DECODE] = 1.0
    weights[Amount.FUNCTION_STEP] = MODEL_ERROR
    return Bounded(weights=weights, most=most)


def _check(problem: Problem) -> None:
    sums = (
        problem.profile.call.deviation_seconds == 0
        and len(problem.routing.samples) == 0
        and problem.offerings.main_keep_alive_seconds is None
    )
    if not sums:
        raise ValueError(
            "an exact optimum needs calls without deviation, a routing without samples and a main "
            "model that never sleeps"
        )
