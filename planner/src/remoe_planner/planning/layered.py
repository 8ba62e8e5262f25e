"""Plans in which every layer that gives experts away has a function of its own, as in the paper.

The layers' numbers of remote experts, sizes and replicas are free of each other, which makes the
choice a multiple-choice problem (`choosing`). The candidates do not depend on what is promised.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remoe_planner.billing import Billing
from remoe_planner.choosing.beam import beam
from remoe_planner.choosing.pool import Dealing, PoolKnobs, alike, completed, deal
from remoe_planner.estimating.placed import Floats
from remoe_planner.memory import GIB
from remoe_planner.planning.layer_options import Amount, LayerOptions
from remoe_planner.planning.ledger import Ledger, Scores
from remoe_planner.planning.placing import Candidate, layer_homes, place
from remoe_planner.planning.prefixes import Prefixes
from remoe_planner.planning.problem import Problem


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layered:
    """All candidates with a function for each layer.

    Attributes:
        options: of each layer.
        dealings: the candidates.
        scores: of all of them, in the dealings' order.
    """

    options: LayerOptions
    dealings: tuple[Dealing, ...]
    scores: Scores

    def candidate(self, problem: Problem, index: int) -> Candidate | None:
        """One of them as a placement; None where it does not fit what is on offer."""
        picks = self.picks_of(index)
        return layered_candidate(problem, self.options, picks)

    def picks_of(self, index: int) -> NDArray[np.intp]:
        """[layers], the options of one candidate."""
        for dealing in self.dealings:
            count = dealing.totals.shape[1]
            if index < count:
                return dealing.picks_of(index)
            index -= count
        raise IndexError(index)


def layered(problem: Problem, knobs: PoolKnobs) -> Layered | None:
    """The candidates, or None where no function on offer holds an expert."""
    options = layer_options(problem)
    if options is None:
        return None
    ledger = ledger_of(problem, options)
    natural = _natural(problem, ledger, options)
    picks = options.choices.best(directions(natural, options))
    dealings = (
        *deal(options.choices, picks, knobs),
        alike(options.choices),
        *_beams(options, natural),
    )
    scores = Scores.joined([ledger.score(dealing.totals) for dealing in dealings])
    return Layered(options=options, dealings=dealings, scores=scores)


def ledger_of(problem: Problem, options: LayerOptions) -> Ledger:
    """The ledger of these options' totals; the first option of each layer is all local."""
    return Ledger(problem, options.choices.amounts[:, :, 0].sum(axis=1, keepdims=True))


def layered_candidate(
    problem: Problem, options: LayerOptions, picks: NDArray[np.intp]
) -> Candidate | None:
    """The placement of one option for each layer."""
    rows = np.arange(len(picks))
    remote = options.remote[rows, picks]
    has = remote > 0
    placed = place(
        problem,
        layer_homes(problem, remote),
        memory_bytes=options.memory_bytes[rows, picks][has],
        min_replicas=options.kept[rows, picks][has],
        max_replicas=options.replicas[rows, picks][has],
    )
    if placed is None:
        return None
    return Candidate(placed=placed, origin="By marginal cost, a function for each layer")


def layer_options(problem: Problem) -> LayerOptions | None:
    """The options of every layer, or None where no function on offer holds an expert."""
    cuts = _cuts(problem)
    if len(cuts) < 2:
        return None
    counts = np.broadcast_to(cuts, (len(problem.architecture.layers), len(cuts)))
    prefixes = Prefixes.of(problem, counts, _sizes(problem, cuts))
    most = problem.offerings.max_replicas
    few = counts.shape[0] <= FEW_LAYERS
    replicas = np.unique([1, 2, 3, most] if few else [1, most])
    return LayerOptions.of(problem, prefixes, replicas[replicas <= most])


def _cuts(problem: Problem) -> NDArray[np.intp]:
    """Numbers of remote experts looked at: all where there are few, denser at both ends."""
    experts = problem.architecture.experts_per_layer
    room = problem.offerings.function_room_bytes
    most = min(experts, max(room // problem.architecture.expert_bytes, 0))
    if most <= FEW:
        return np.arange(most + 1)
    cuts = np.unique(np.round(np.asarray(CUT_SHARES) * experts).astype(np.intp))
    return np.unique(np.append(cuts[cuts < most], most))


def _sizes(problem: Problem, cuts: NDArray[np.intp]) -> Floats:
    """What each number of experts needs, and larger ones, which buy cores."""
    offerings, grid = problem.offerings, problem.offerings.function_memory
    needed = cuts[1:] * problem.architecture.expert_bytes + offerings.memory.function_working_bytes
    useful = offerings.max_function_cores / offerings.cores_per_gib * GIB
    most = min(float(grid.largest_bytes), max(useful, float(needed[-1])))
    more = np.geomspace(needed[0], max(most, needed[0]), LARGER_SIZES)
    steps = np.ceil((np.concatenate([needed, more]) - grid.least_bytes) / grid.step_bytes)
    last = (grid.most_bytes - grid.least_bytes) // grid.step_bytes
    sizes = grid.least_bytes + np.clip(steps, 0, last) * grid.step_bytes
    return np.asarray(np.unique(sizes), np.float64)


def _natural(problem: Problem, ledger: Ledger, options: LayerOptions) -> Floats:
    """Weights of the amounts in a plan like the one with every expert local."""
    architecture, work = problem.architecture, problem.workload
    local = options.choices.amounts[:, :, 0].sum(axis=1, keepdims=True)
    expert_price = architecture.expert_bytes / GIB * problem.offerings.prices.main_gib_second
    prices = ledger.main_price(np.array([architecture.expert_count, 0.0]))
    price = float(prices[np.isfinite(prices)].max(initial=0.0))
    worth = price * _per_second(problem, ledger, local)
    weights = np.zeros(len(Amount))
    weights[Amount.PREFILL] = worth
    weights[Amount.DECODE] = worth * work.output_tokens / work.concurrency
    weights[Amount.FUNCTION_COST] = 1.0
    weights[Amount.LOCAL_EXPERTS] = expert_price * _main_seconds(problem, ledger, local)
    return weights


def directions(natural: Floats, options: LayerOptions) -> Floats:
    """Weights of the amounts: what each could be worth at any main model and any promise."""
    amounts = options.choices.amounts
    dense = _density(amounts[0].size)
    costs = np.tensordot(natural, amounts, axes=1)
    axes = (
        np.array(WAITING),
        _worths(costs, amounts[Amount.DECODE], round(6 * dense)),
        _worths(costs, amounts[Amount.LONG_PREFILL], round(4 * dense)),
        np.array(LONGER),
    )
    share, tokens, first, longer = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
    weights = np.zeros((len(share), len(Amount)))
    weights[:, Amount.PREFILL] = natural[Amount.PREFILL] * share
    weights[:, Amount.DECODE] = natural[Amount.DECODE] * share + tokens
    weights[:, Amount.FUNCTION_COST] = 1.0
    weights[:, Amount.LOCAL_EXPERTS] = natural[Amount.LOCAL_EXPERTS] * longer
    weights[:, Amount.LONG_PREFILL] = first / 2
    weights[:, Amount.COLD_PREFILL] = first / 2
    weights[:, Amount.SPREAD] = tokens / 2
    return weights


def _beams(options: LayerOptions, natural: Floats) -> Iterator[Dealing]:
    """Where layers are few, one more candidate is a large step; then these fill the gaps."""
    choices = options.choices
    width = MOST_STATES // choices.amounts[0].size
    if choices.layers > FEW_LAYERS or choices.layers < 2:
        return
    limited = (Amount.LONG_PREFILL, Amount.DECODE, Amount.LOCAL_EXPERTS)
    # Memory comes in steps: up to the next one an expert that stays costs nothing.
    free = np.where(np.arange(len(Amount)) == Amount.LOCAL_EXPERTS, 0.0, natural)
    for weights, keep in (
        (natural, limited),
        (natural, limited[:2]),
        (free, limited[:1]),
        (free, limited[1:2]),
        (free, limited),
    ):
        yield completed(choices, beam(choices, weights=weights, limited=keep, width=width))


def _density(table: int) -> float:
    """How much finer the ladders are for a small table, whose picks have fewer layers to mix."""
    return float(min(max(math.sqrt(MOST_VALUES / table / 250), 1.0), 4.0))


def _worths(costs: Floats, seconds: Floats, steps: int) -> Floats:
    """What a second less can cost, from the cheapest of all options' prices to beyond the dearest.

    Args:
        costs: [layers, options].
        seconds: the same.
        steps: how many prices, beside none.
    """
    saved = seconds[:, :1] - seconds
    dearer = costs - costs[:, :1]
    bought = (saved > TINY) & (dearer > 0)
    if not bought.any():
        return np.zeros(1)
    prices = dearer[bought] / saved[bought]
    low, high = np.quantile(prices, 0.02) / 2, prices.max() * 2
    return np.append(0.0, np.geomspace(max(low, high * 1e-9), high, steps))


def _main_seconds(problem: Problem, ledger: Ledger, totals: Floats) -> float:
    """Seconds for which a request pays the main model."""
    if problem.offerings.billing is Billing.BUSY:
        return float(ledger.main_seconds(totals)[0])
    return float(ledger.awake_seconds(totals)[0][0])


def _per_second(problem: Problem, ledger: Ledger, totals: Floats) -> float:
    """How many more seconds of the main model a second of waiting costs."""
    if problem.offerings.billing is Billing.BUSY:
        return 1.0
    longer = totals.copy()
    longer[Amount.PREFILL] += 1.0
    more = ledger.awake_seconds(longer)[0] - ledger.awake_seconds(totals)[0]
    return max(float(more[0]), 1e-3)


FEW = 16
CUT_SHARES = (
    0,
    1 / 32,
    1 / 16,
    1 / 8,
    3 / 16,
    1 / 4,
    3 / 8,
    1 / 2,
    5 / 8,
    3 / 4,
    7 / 8,
    15 / 16,
    1,
)
LARGER_SIZES = 8
TINY = 1e-12
WAITING = (0.3, 1.0)
LONGER = (0.0, 0.6, 1.0, 2.0)
MOST_STATES = 600_000
FEW_LAYERS = 12
MOST_VALUES = 4_000_000
