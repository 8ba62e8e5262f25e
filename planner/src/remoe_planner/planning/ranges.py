"""How the least used experts of all layers are split into functions by how rarely they are needed.

Functions of neighbors in the ranking sleep together and longest. Where the ranking is cut is
chosen so that the memory awake is least, by dynamic programming over a number of places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.estimating.awake import awake_per_request
from remoe_planner.estimating.placed import Floats
from remoe_planner.planning.prefixes import Prefixes, touched_from
from remoe_planner.planning.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One way to split: functions serve the experts between neighboring edges.

    Attributes:
        edges: places in the ranking, ascending, the first is 0.
    """

    edges: tuple[int, ...]

    @property
    def functions(self) -> int:
        return len(self.edges) - 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranges:
    """Every stretch of the ranking between two places.

    Attributes:
        touched: [places, places], probability that a request needs an expert of the stretch.
        memory_bytes: [places, places], of a function for it; infinite where none holds it.
        awake_price: [places, places], what keeping it awake costs for each request.
    """

    touched: Floats
    memory_bytes: Floats
    awake_price: Floats

    @classmethod
    def of(cls, problem: Problem, prefixes: Prefixes) -> Ranges:
        """For places that are the prefixes' cuts."""
        offerings, grid = problem.offerings, problem.offerings.function_memory
        counts = prefixes.counts.sum(axis=0)
        experts = np.maximum(counts[None, :] - counts[:, None], 0)
        touched = _touched(prefixes)
        weights = experts * float(problem.architecture.expert_bytes)
        steps = np.ceil(
            (weights + offerings.memory.function_working_bytes - grid.least_bytes) / grid.step_bytes
        )
        memory = grid.least_bytes + np.maximum(steps, 0) * grid.step_bytes
        memory = np.where((memory <= grid.most_bytes) & (experts > 0), memory, np.inf)
        rate = problem.workload.requests_per_second
        start = problem.profile.function_start
        seconds = touched * awake_per_request(
            rate * touched,
            offerings.function_keep_alive_seconds,
            start.seconds + weights / start.bytes_per_second,
        )
        with np.errstate(invalid="ignore"):
            price = np.where(np.isfinite(memory), memory * seconds, np.inf)
        return cls(touched=touched, memory_bytes=memory, awake_price=price)

    def splits(
        self, ends: Sequence[int], most: int, factors: Sequence[int]
    ) -> dict[int, dict[int, Split]]:
        """The best split of the ranking up to each place, by the number of functions.

        Args:
            ends: the places; those that no number of functions reaches are not in the answer.
            most: functions at most.
            factors: the numbers of functions asked for, as multiples of the fewest that hold the
                experts.
        """
        best, places = self.awake_price[0], np.arange(len(self.awake_price))
        origins: list[NDArray[np.intp]] = []
        found: dict[int, dict[int, Split]] = {}
        for functions in range(1, most + 1):
            for end in ends:
                if not np.isfinite(best[end]):
                    continue
                splits = found.setdefault(end, {})
                if functions in {factor * min(splits, default=functions) for factor in factors}:
                    splits[functions] = Split(edges=_edges(origins, end))
            through = best[:, None] + self.awake_price
            origins.append(through.argmin(axis=0))
            best = through[origins[-1], places]
        return found


def _edges(origins: list[NDArray[np.intp]], end: int) -> tuple[int, ...]:
    edges = [end]
    for origin in reversed(origins):
        edges.append(int(origin[edges[-1]]))
    return (0, *reversed(edges))


def _touched(prefixes: Prefixes) -> Floats:
    counted = prefixes.counted.sum(axis=1)
    rates = prefixes.rates.sum(axis=0)
    return touched_from(
        counted[:, None, :] - counted[:, :, None],
        np.maximum(rates[None, :] - rates[:, None], 0.0),
        prefixes.kept_share,
        prefixes.missing_share,
    )
