"""Placements told by four numbers, and the best of them found by trying: no proof, but a plan.

The most used experts stay; the others are dealt over functions of one size so that those that a
token picks together lie apart. Everything resident is the recipe that keeps all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from remoe_planner.estimating.placed import Placed
from remoe_planner.planning.placing import place
from remoe_planner.planning.problem import Problem, ranked
from remoe_simulator.limit.habits import Habits


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to place experts.

    Attributes:
        kept_share: of all experts, the most used ones, beside the main model.
        functions: that serve the others.
        memory_bytes: of each replica, at least.
        replicas: of each function at most.
    """

    kept_share: float
    functions: int
    memory_bytes: float
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cook:
    """Makes placements of recipes for requests with these habits.

    Attributes:
        problem: whose offerings are rented.
        habits: of the requests.
    """

    problem: Problem
    habits: Habits
    _dealt: dict[tuple[int, int], NDArray[np.intp]] = field(default_factory=dict)

    def placed(self, recipe: Recipe) -> Placed | None:
        """The placement; None where it does not fit what is on offer."""
        kept = round(recipe.kept_share * self.habits.use.size)
        key = kept, recipe.functions
        if key not in self._dealt:
            self._dealt[key] = dealt(self.habits, kept, recipe.functions)
        homes = self._dealt[key]
        return place(
            self.problem,
            homes,
            memory_bytes=np.full(int(homes.max()), recipe.memory_bytes),
            max_replicas=recipe.replicas,
        )

    def best(self, cost: Callable[[Placed], float]) -> Placed | None:
        """One number after the other is changed as long as that helps; None where nothing will do.

        Args:
            cost: of a placement; infinite where it will not do.
        """
        recipe, best, least = _first(self.problem), None, float("inf")
        for _ in range(ROUNDS):
            before = recipe
            for other in _neighbors(self.problem, recipe):
                placed = self.placed(other)
                found = float("inf") if placed is None else cost(placed)
                if found < least:
                    recipe, best, least = other, placed, found
            if recipe == before:
                break
        return best


def dealt(habits: Habits, kept: int, functions: int) -> NDArray[np.intp]:
    """[layers, experts], the function of each, numbered from 1 without gaps; 0 of those that stay.

    A layer's experts, the most used first, each go where the fewest of those are that are picked
    together with it.
    """
    layers, experts = habits.use.shape
    remote = np.ones(layers * experts, np.bool_)
    remote[ranked(-habits.use.ravel())[:kept]] = False
    homes = np.zeros((layers, experts), np.intp)
    held = np.zeros(functions)
    for layer, own in enumerate(remote.reshape(layers, experts)):
        order = ranked(-habits.use[layer])
        homes[layer] = _dealt_in_layer(order[own[order]], habits.meetings[layer], held)
        held += np.bincount(homes[layer], minlength=functions + 1)[1:]
    _, dense = np.unique(np.append(0, homes.ravel()), return_inverse=True)
    return np.asarray(dense[1:].reshape(layers, experts), np.intp)


def _dealt_in_layer(
    order: NDArray[np.intp], meetings: NDArray[np.float32], held: NDArray[np.float64]
) -> NDArray[np.intp]:
    """[experts], the functions of these experts; 0 of the others.

    Args:
        order: experts to be dealt.
        meetings: [experts, experts], tokens that pick both.
        held: [functions], experts of other layers, which decide between equals.
    """
    homes = np.zeros(len(meetings), np.intp)
    most = -(-len(order) // len(held))
    met = np.zeros((len(held), len(meetings)))
    own = np.zeros(len(held), np.intp)
    for expert in order.tolist():
        cost = met[:, expert] + A_LITTLE * (own + A_LITTLE * held)
        cost[own >= most] = np.inf
        function = int(cost.argmin())
        homes[expert] = function + 1
        own[function] += 1
        met[function] += meetings[expert]
    return homes


def _first(problem: Problem) -> Recipe:
    offerings = problem.offerings
    return Recipe(
        kept_share=0.0,
        functions=offerings.max_functions,
        memory_bytes=float(offerings.function_memory.most_bytes),
        replicas=1,
    )


def _neighbors(problem: Problem, recipe: Recipe) -> Iterator[Recipe]:
    """The recipe, and every one that differs from it in one number."""
    offerings = problem.offerings
    grid = offerings.function_memory
    yield recipe
    for part in SIZES:
        yield replace(recipe, memory_bytes=max(part * grid.most_bytes, grid.least_bytes))
    for part in PARTS:
        yield replace(recipe, functions=max(round(part * offerings.max_functions), 1))
    for share in KEPT_SHARES:
        yield replace(recipe, kept_share=share)
    yield replace(recipe, replicas=offerings.max_replicas)


ROUNDS = 5
KEPT_SHARES = (0.0, 0.01, 0.02, 0.04, 0.07, 0.1, 0.14, 0.2, 0.4, 1.0)
PARTS = (1.0, 0.75, 0.5, 0.25)
SIZES = (1.0, 0.85, 0.7, 0.5, 0.35)
A_LITTLE = 1e-5
