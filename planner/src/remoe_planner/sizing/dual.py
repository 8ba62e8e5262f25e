"""Memory of every layer's function at least cost inside a budget of time (eqs. 13 and 14).

The paper's dual has four multipliers a layer and no closed form. The bounds clip, so the summed
time is the only constraint with a price, and for a given price each layer's size is a Lambert W.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import lambertw

from remoe_planner.sizing.decaying_time import DecayingTime


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SizingProblem:
    """min sum_l s_l (T(y_l) + t_l / s_l) (H + c y_l), the paper's P2 without its constant factor.

    Attributes:
        time: T(y), seconds of all of a token's picks when they are remote.
        shares: [layers], s~_l, share of the layer's assignments on remote experts, > 0.
        call_seconds: [layers], t_rem of each.
        least_gib: [layers], what the remote experts need.
        most_gib: [layers], the largest size on offer.
        main_price: H_w, price of a second of everything that waits.
        gib_price: c_c, price of a GiB-second of a function.
    """

    time: DecayingTime
    shares: NDArray[np.float64]
    call_seconds: NDArray[np.float64]
    least_gib: NDArray[np.float64]
    most_gib: NDArray[np.float64]
    main_price: float
    gib_price: float

    def __post_init__(self) -> None:
        if np.any(self.shares <= 0) or np.any(self.least_gib > self.most_gib):
            raise ValueError("sizing: shares must be > 0 and least_gib <= most_gib")
        if self.main_price < 0 or not self.gib_price > 0:
            raise ValueError(
                "sizing: main_price must be >= 0 and gib_price > 0, "
                f"got {self.main_price} and {self.gib_price}"
            )

    def seconds(self, gib: NDArray[np.float64]) -> NDArray[np.float64]:
        """[layers], expected remote seconds of a token."""
        return self.shares * self.time.at(gib) + self.call_seconds

    def cost(self, gib: NDArray[np.float64]) -> NDArray[np.float64]:
        """[layers], expected cost of a token."""
        return self.seconds(gib) * (self.main_price + self.gib_price * gib)

    @property
    def is_convex(self) -> bool:
        """Whether Theorem 2 holds from the least sizes on."""
        start = 2 / max(self.time.rate_per_gib, _TINY) - self.main_price / self.gib_price
        return bool(np.all(self.least_gib >= start))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sizing:
    """What the dual gives.

    Attributes:
        gib: [layers], sizes between the bounds.
        second_price: lambda, what a second less would cost; 0 where the budget does not bind.
        kept: whether the budget is kept; where not, every size is the largest.
    """

    gib: NDArray[np.float64]
    second_price: float
    kept: bool


def solve_dual(problem: SizingProblem, budget_seconds: float | None) -> Sizing:
    """The least-cost sizes whose summed remote time of a token stays inside the budget.

    Where `is_convex` does not hold the stationary point is still the best above the inflection,
    and is compared with both bounds.
    """
    free = sizes_at(problem, 0.0)
    if budget_seconds is None or problem.seconds(free).sum() <= budget_seconds:
        return Sizing(gib=free, second_price=0.0, kept=True)
    if problem.seconds(problem.most_gib).sum() > budget_seconds:
        return Sizing(gib=problem.most_gib.copy(), second_price=np.inf, kept=False)
    price = _price_of(problem, budget_seconds)
    return Sizing(gib=sizes_at(problem, price), second_price=price, kept=True)


def sizes_at(problem: SizingProblem, second_price: float) -> NDArray[np.float64]:
    """[layers], the best sizes where a second costs this much more."""
    gain, rate = problem.time.gain_seconds, problem.time.rate_per_gib
    waiting_gib = (problem.main_price + second_price) / problem.gib_price
    if gain <= 0 or rate <= 0:
        return problem.least_gib.copy()
    fixed = problem.time.floor_seconds + problem.call_seconds / problem.shares
    # -W_{-1}(-exp(-depth)), for A/theta1 * exp(1 - theta2 H'/c) = exp(-depth)
    depth = rate * waiting_gib - 1 - np.log(np.maximum(fixed / gain, _TINY))
    stationary = (1 + _negative_lambert(depth)) / rate - waiting_gib
    inner = np.clip(
        np.where(depth >= 1, stationary, problem.least_gib), problem.least_gib, problem.most_gib
    )
    return _cheapest(problem, second_price, inner)


def _cheapest(
    problem: SizingProblem, second_price: float, inner: NDArray[np.float64]
) -> NDArray[np.float64]:
    options = np.stack([inner, problem.least_gib, problem.most_gib])
    price = problem.main_price + second_price
    costs = (problem.shares * problem.time.at(options) + problem.call_seconds) * (
        price + problem.gib_price * options
    )
    chosen = np.argmin(costs, axis=0)
    return np.asarray(np.take_along_axis(options, chosen[None], axis=0)[0])


def _negative_lambert(depth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve u - ln u = depth for u > 1, which is -W_{-1}(-exp(-depth)); 1 without a solution."""
    shallow = np.clip(depth, 1.0, _MOST_DEPTH)
    exact = -lambertw(-np.exp(-shallow), k=-1).real
    # The exponential vanishes in float64; the iteration's error shrinks by 1/u each time.
    deep = np.maximum(depth, _MOST_DEPTH)
    for _ in range(6):
        deep = np.maximum(depth, _MOST_DEPTH) + np.log(deep)
    return np.asarray(np.where(depth > _MOST_DEPTH, deep, exact))


def _price_of(problem: SizingProblem, budget_seconds: float) -> float:
    def missing(price: float) -> float:
        return float(problem.seconds(sizes_at(problem, price)).sum()) - budget_seconds

    high = max(problem.main_price, problem.gib_price, _TINY)
    for _ in range(_DOUBLINGS):
        if missing(high) <= 0:
            break
        high *= 2
    low, high = 0.0, high
    price = float(brentq(missing, low, high, xtol=0.0 + high * 1e-14, rtol=1e-13))
    # The root may lie a rounding error on the wrong side.
    return price if missing(price) <= 0 else price * (1 + 1e-9)


_TINY = 1e-300
_MOST_DEPTH = 600.0
_DOUBLINGS = 400
