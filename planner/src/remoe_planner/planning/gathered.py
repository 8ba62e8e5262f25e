"""Plans whose functions serve experts of all layers, told by a ranking of all experts by use.

Where every second awake is paid for, a function for each layer is woken by nearly every request;
one of experts that are rarely needed, and together, sleeps: each function gets a stretch of the
ranking. Where only work is paid for, picks of a layer should not wait for each other: the experts
of each layer are dealt over functions that are alike (stripes), so that a token's picks fall on
many of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.billing import Billing
from remoe_planner.estimating.placed import Floats
from remoe_planner.memory import GIB
from remoe_planner.planning.gathered_scores import GatheredScores
from remoe_planner.planning.ledger import Scores
from remoe_planner.planning.placing import Candidate, place
from remoe_planner.planning.prefixes import Prefixes
from remoe_planner.planning.problem import Problem
from remoe_planner.planning.ranges import Ranges
from remoe_planner.planning.shapes import Shape, ranking, shapes_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gathered:
    """Candidates that keep replicas by the same rule.

    Attributes:
        shapes: of the candidates.
        ranks: [layers, experts], of each expert by use.
        places: [places], experts of the ranking up to each place.
        sizes: [functions], bytes, candidate after candidate; those that are alike once.
        kept: bool [functions].
        scores: of all candidates.
    """

    shapes: tuple[Shape, ...]
    ranks: NDArray[np.intp]
    places: NDArray[np.intp]
    sizes: Floats
    kept: NDArray[np.bool_]
    scores: Scores

    def candidate(self, problem: Problem, index: int) -> Candidate | None:
        """One of them as a placement; None where it does not fit what is on offer."""
        shape = self.shapes[index]
        before = sum(earlier.split.functions for earlier in self.shapes[:index])
        own = slice(before, before + shape.split.functions)
        edges = self.places[list(shape.split.edges)]
        striped = shape.stripes > 1
        homes = self._striped(problem, shape.stripes, edges[-1]) if striped else self._homes(edges)
        placed = place(
            problem,
            homes,
            memory_bytes=np.repeat(self.sizes[own], shape.stripes),
            min_replicas=np.repeat(self.kept[own], shape.stripes),
            max_replicas=1 if striped else problem.offerings.max_replicas,
        )
        if placed is None:
            return None
        how = "each layer's dealt over all functions" if striped else "rarely used experts together"
        return Candidate(placed=placed, origin=f"By marginal cost, {how}")

    def _homes(self, edges: NDArray[np.intp]) -> NDArray[np.intp]:
        """A function for each stretch of the ranking."""
        # Of each place in the ranking; a look at a table is many times faster than a search.
        homes = np.zeros(self.ranks.size, np.intp)
        homes[: edges[-1]] = np.repeat(np.arange(1, len(edges)), np.diff(edges))
        return homes[self.ranks]

    def _striped(self, problem: Problem, stripes: int, end: int) -> NDArray[np.intp]:
        """Experts up to a place in the ranking dealt over so many functions, layer by layer."""
        order = problem.order
        homes = np.zeros(order.shape, np.intp)
        remote = np.take_along_axis(self.ranks, order, axis=1) < end
        turn = np.cumsum(remote, axis=1) - 1
        rounds, place = np.divmod(turn, stripes)
        # To and fro, or one function would have the most used expert of every round; and what is
        # left of a layer's last round begins where the layer before ended.
        whole, rest = np.divmod(remote.sum(axis=1), stripes)
        begin = np.cumsum(rest) - rest + np.where(whole % 2, rest, 0)
        place = np.where(rounds % 2, stripes - 1 - place, place) + begin[:, None]
        dealt = np.where(remote, 1 + place % stripes, 0)
        np.put_along_axis(homes, order, dealt, axis=1)
        return homes


def gathered(problem: Problem) -> tuple[Gathered, ...]:
    """The candidates, by when they keep a replica; none where no function holds an expert."""
    places = _places(problem)
    if len(places) < 2:
        return ()
    ranks = ranking(problem)
    counts = np.stack([np.searchsorted(row, places) for row in np.sort(ranks, axis=1)])
    prefixes = Prefixes.of(problem, counts, _sizes(problem))
    ranges = Ranges.of(problem, prefixes)
    shapes = shapes_of(problem, ranges, places)
    if not shapes:
        return ()
    model = GatheredScores(problem, prefixes, ranges, shapes)
    # Where only computing is billed a kept replica is charged to nobody, and no plan keeps one.
    levels = KEPT[:1] if problem.offerings.billing is Billing.BUSY else KEPT
    return tuple(_keeping(model, level, ranks, places) for level in levels)


def _keeping(
    model: GatheredScores, level: float, ranks: NDArray[np.intp], places: NDArray[np.intp]
) -> Gathered:
    """Functions keep a replica if they are needed as likely as this."""
    kept = model.touched >= level
    return Gathered(
        shapes=model.shapes,
        ranks=ranks,
        places=places,
        sizes=model.sizes,
        kept=kept,
        scores=model.scores(kept),
    )


def _places(problem: Problem) -> NDArray[np.intp]:
    """Places in the ranking where functions may begin or end."""
    experts = problem.architecture.expert_count
    held = problem.offerings.function_room_bytes // problem.architecture.expert_bytes
    if held < 1:
        return np.zeros(1, np.intp)
    # No stretch between two places may be more than a function holds.
    wanted = max(PLACES, min(2 * -(-experts // held), MOST_PLACES))
    return np.unique(np.linspace(0, experts, min(wanted, experts) + 1).round().astype(np.intp))


def _sizes(problem: Problem) -> Floats:
    """Sizes at which work is worked out; between them it is interpolated."""
    offerings, grid = problem.offerings, problem.offerings.function_memory
    measured = np.asarray(problem.profile.remote_expert.cores) / offerings.cores_per_gib * GIB
    spread = np.geomspace(grid.least_bytes, grid.largest_bytes, SIZES)
    sizes = np.clip(np.concatenate([spread, measured]), grid.least_bytes, grid.largest_bytes)
    return np.asarray(np.unique(sizes))


PLACES = 24
MOST_PLACES = 128
SIZES = 8
KEPT = (2.0, 0.5, 0.0)
