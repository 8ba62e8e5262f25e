"""What no placement can be below: a request's cost where every function is as good as could be.

Each layer may keep any experts beside the main model, a decode step's other picks are split over
as many functions as suits that step, and each has the size that suits it. Whatever a real placement
does (one home for each expert, one size for each function) it does no better, so the cheapest is a
bound for every placement of whole experts, whoever found it. Promises are not looked at: they could
only raise it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from remoe_planner.estimating.placed import Floats
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.latency.together import together
from remoe_planner.memory import GIB
from remoe_planner.planning.layer_options import Amount
from remoe_planner.planning.ledger import Ledger
from remoe_planner.planning.problem import Problem
from remoe_simulator.simulated_request import SimulatedRequest


def floor(problem: Problem, request: SimulatedRequest) -> float:
    """What this request costs at least, where only work is billed.

    Args:
        problem: with a workload as long as the request, and calls without luck.
        request: with its true routing.

    Raises:
        ValueError: calls have luck, or a main model without functions has times of its own.
    """
    _check(problem)
    bound = _Bound(problem, request)
    ledger = Ledger(problem)
    prices = ledger.main_price(np.arange(problem.architecture.expert_count + 1, dtype=np.float64))
    fixed = float(ledger.main_seconds(np.zeros((len(Amount), 1)))[0])
    return min(bound.between(*each, fixed) for each in _stretches(prices))


def _check(problem: Problem) -> None:
    profile = problem.profile
    if profile.call.deviation_seconds or profile.alone is not None:
        raise ValueError(
            "a floor is of calls without deviation and of a main model that takes as long with "
            f"functions as without them; profile {profile.name} is another"
        )


def _stretches(prices: Floats) -> list[tuple[float, int]]:
    """(the least price of a second, the most local experts) of stretches of main models."""
    last = int(np.isfinite(prices).sum()) - 1
    edges = np.unique(np.round(last * np.linspace(0, 1, STRETCHES + 1) ** 2).astype(int))
    starts = np.append(0, edges[1:-1] + 1)
    return [(float(prices[start]), int(end)) for start, end in zip(starts, edges[1:], strict=True)]


class _Bound:
    """One request's amounts, by how many experts a layer keeps."""

    def __init__(self, problem: Problem, request: SimulatedRequest) -> None:
        self.problem, self.profile, self.request = problem, problem.profile, request
        self.top_k = problem.architecture.top_k
        self.experts = problem.architecture.experts_per_layer
        self.sizes = _sizes(problem)
        self.cores = problem.offerings.function_cores(self.sizes)
        self.prices = self.sizes / GIB * problem.offerings.prices.function_gib_second
        self.picked = self._picked()
        self.prompts = [_Prompt.of(self, rows.astype(np.float64)) for rows in request.chunk_rows]

    def between(self, price: float, most: int, fixed_seconds: float) -> float:
        """For main models of this price of a second at least, with so many experts at most."""
        costs = self._answer(price)
        for prompt in self.prompts:
            costs = costs + prompt.cost(self.profile, price)
        local = np.arange(self.experts + 1)
        scale = float(costs.max()) / self.experts
        worths = np.append(0.0, np.geomspace(1e-4 * scale, scale, WORTHS))
        # For any worth of a kept expert: the best choices without the limit, less what is too much.
        best = [(costs + worth * local).min(axis=1).sum() - worth * most for worth in worths]
        return price * fixed_seconds + float(max(best))

    def _picked(self) -> Floats:
        """[layers, experts + 1], picks of a step that are remote at least, where so many stay."""
        counts = -np.sort(-self.request.answer_counts.astype(np.float64), axis=1)
        kept = np.cumsum(np.pad(counts, ((0, 0), (1, 0))), axis=1)
        return self.top_k - kept / max(self.request.steps, 1)

    def _answer(self, price: float) -> Floats:
        """[layers, experts + 1], of all decode steps, by how many experts stay."""
        steps = _convex(self._steps(price))
        picks = np.arange(self.top_k + 1, dtype=np.float64)
        # A mean of costs is at least the cost of the mean; more picks than the least may cost less.
        least = np.minimum.accumulate(steps[::-1])[::-1]
        return self.request.steps * np.interp(self.picked, picks, least)

    def _steps(self, price: float) -> Floats:
        """[top_k + 1], the least cost of a layer's experts where so many picks are remote."""
        profile, row_bytes = self.profile, 2 * self.problem.architecture.hidden_size
        beside = float(profile.local_expert.seconds(1.0, profile.main_cores))
        one = profile.remote_expert.seconds(1.0, self.cores)
        billed = one * self.prices
        way = profile.call.mean_seconds + 2 * row_bytes / profile.call.bytes_per_second
        found = [price * self.top_k * beside]
        for picks in range(1, self.top_k + 1):
            calls = np.arange(1, picks + 1)[:, None]
            # The slowest function has this many picks at least, the others one at least.
            waited = np.maximum(np.ceil(picks / calls) * one.min(), one)
            own = (self.top_k - picks) * beside + calls * profile.call.main_seconds
            fees = calls * self.problem.offerings.prices.call
            costs = price * together(profile, own, way + waited) + picks * billed + fees
            found.append(float(costs.min()))
        return np.array(found)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Prompt:
    """One chunk of a prompt, by how many experts a layer keeps, each [layers, experts + 1].

    Attributes:
        local: seconds of the experts that stay, at least.
        work: seconds of the others in the largest functions, at least.
        longest: of the longest of them.
        billed: cost of them, at least.
        most: calls that a layer makes at most.
        fee: of a call.
    """

    local: Floats
    work: Floats
    longest: Floats
    billed: Floats
    most: int
    fee: float

    @classmethod
    def of(cls, bound: _Bound, rows: Floats) -> _Prompt:
        """Of its rows [layers, experts]."""
        profile, offerings = bound.profile, bound.problem.offerings
        beside = profile.local_expert.near(profile.main_cores).seconds(rows, profile.main_cores)
        time, asked = profile.remote_expert, rows > 0
        speeds = time.speeds(rows)
        billed = np.full(rows.shape, np.inf)
        for cores, price in zip(bound.cores, bound.prices, strict=True):
            billed = np.minimum(billed, price * time.seconds_at(speeds, cores))
        fastest = np.sort(time.seconds(rows, bound.cores.max()), axis=1)
        return cls(
            local=_sums(np.sort(beside, axis=1)),
            work=_sums(fastest)[:, ::-1],
            longest=np.pad(fastest, ((0, 0), (1, 0)))[:, ::-1],
            billed=_sums(np.sort(np.where(asked, billed, 0.0), axis=1))[:, ::-1],
            most=max(int(asked.sum(axis=1).max()) * offerings.max_replicas, 1),
            fee=offerings.prices.call,
        )

    def cost(self, profile: HardwareProfile, price: float) -> Floats:
        """[layers, experts + 1], at this price of a second of the main model."""
        least = np.full(self.local.shape, np.inf)
        for fewest, most in _numbers(self.most):
            wire = fewest * profile.call.main_seconds
            waited = profile.call.mean_seconds + np.maximum(self.longest, self.work / most)
            seconds = together(profile, self.local + wire, waited)
            least = np.minimum(least, price * seconds + fewest * self.fee)
        remote = least + self.billed
        return np.where(self.work > 0, remote, price * self.local)


def _numbers(most: int) -> list[tuple[int, int]]:
    """Stretches of numbers from 1 to most, longer ones the further."""
    edges = np.unique(np.ceil(np.geomspace(1, most + 1, NUMBERS)).astype(int)).tolist()
    return [(start, end - 1) for start, end in pairwise(edges)]


def _sizes(problem: Problem) -> Floats:
    """Sizes of functions on offer that hold an expert at least."""
    least = problem.offerings.memory.of_function(problem.architecture, 1)
    sizes = problem.offerings.function_memory.sizes.astype(np.float64)
    return np.asarray(sizes[sizes >= least])


def _sums(values: Floats) -> Floats:
    """[layers, experts + 1], sums of the first ones."""
    return np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)


def _convex(values: Floats) -> Floats:
    """The largest convex sequence that is nowhere above these values."""
    places = np.arange(len(values))
    lowest = values.copy()
    for first in places:
        for last in places[first + 1 :]:
            between = np.interp(places, (first, last), (values[first], values[last]))
            inside = slice(first, last + 1)
            lowest[inside] = np.minimum(lowest[inside], between[inside])
    return lowest


STRETCHES = 40
WORTHS = 24
NUMBERS = 32
