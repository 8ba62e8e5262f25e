from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from builders.planning_worlds import (
    a_random_world,
    a_routing,
    a_world,
    an_architecture,
    with_slo,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from remoe_planner.choosing.beam import beam
from remoe_planner.choosing.choices import Choices
from remoe_planner.choosing.pool import PoolKnobs, deal
from remoe_planner.exact.layered_optimum import layered_optimum
from remoe_planner.exact.multiple_choice import Bounded, exact_picks
from remoe_planner.planning.gathered import gathered
from remoe_planner.planning.layered import layered
from remoe_planner.planning.problem import Problem


def a_table(seed, layers=3, options=4, amounts=3):
    chance = np.random.default_rng(seed)
    return Choices(amounts=chance.uniform(0, 1, (amounts, layers, options)))


@given(st.integers(0, 10_000), st.floats(0.3, 2.0))
@settings(deadline=None, max_examples=20)
def test_the_integer_program_is_as_good_as_trying_everything(seed, most):
    choices = a_table(seed)
    weights = np.array([1.0, 0.2, 0.0])
    bound = Bounded(weights=np.array([0.0, 0.0, 1.0]), most=most)

    found = exact_picks(choices, weights, (bound,))

    every = np.array(list(product(range(4), repeat=3)))
    totals = choices.totals(every)
    kept = totals[2] <= most
    if found is None:
        assert not kept.any()
    else:
        best = (weights @ totals)[kept].min()
        assert float((weights @ choices.totals(found[None]))[0]) == pytest.approx(best, rel=1e-5)


@given(st.integers(0, 10_000), st.integers(1, 5))
@settings(deadline=None, max_examples=20)
def test_candidates_are_what_their_totals_say(seed, layers):
    choices = a_table(seed, layers=layers)
    weights = np.random.default_rng(seed).uniform(0, 1, (12, 3))

    for dealing in deal(choices, choices.best(weights), PoolKnobs(combinations=50)):
        for candidate in range(dealing.totals.shape[1]):
            picks = dealing.picks_of(candidate)
            assert np.allclose(choices.totals(picks[None])[:, 0], dealing.totals[:, candidate])


def test_a_beam_keeps_the_cheapest_and_the_smallest():
    choices = a_table(5, layers=4)

    picks = beam(choices, weights=np.array([1.0, 0, 0]), limited=(2,), width=16)

    rest = Choices(amounts=choices.amounts[:, :-1])
    totals = rest.totals(picks)
    assert totals[0].min() == pytest.approx(rest.amounts[0].min(axis=1).sum())
    assert totals[2].min() == pytest.approx(rest.amounts[2].min(axis=1).sum(), abs=0.15)


@pytest.mark.parametrize("seed", range(6))
def test_the_cheapest_candidate_is_within_five_percent_of_the_optimum(seed):
    world = a_random_world(seed)
    free = layered(Problem(**world), PoolKnobs())
    cheapest = int(np.argmin(free.scores.cost))
    world = with_slo(world, tpot_seconds=float(free.scores.tpot_seconds[cheapest]) * 0.97)
    problem = Problem(**world)

    scores = layered(problem, PoolKnobs()).scores
    kept = scores.excess(problem) <= 1
    optimum = layered_optimum(problem, free.options)

    if optimum is None:
        assert not np.any(kept & np.isfinite(scores.cost))
    else:
        assert scores.cost[kept].min() <= optimum.cost * 1.05
        assert scores.cost[kept].min() >= optimum.cost * (1 - 1e-6)


def test_an_optimum_of_what_does_not_add_up_is_refused():
    world = a_random_world(3, samples=20)
    problem = Problem(**world)

    with pytest.raises(ValueError, match="exact optimum needs"):
        layered_optimum(problem, layered(problem, PoolKnobs()).options)


def stripes_of(kind):
    """Which candidates deal a layer's experts over several functions."""
    shapes = getattr(kind, "shapes", [None] * len(kind.scores.cost))
    return np.array([shape is not None and shape.stripes > 1 for shape in shapes])


def test_the_model_of_sums_takes_functions_for_alike_that_nearly_are():
    model = an_architecture(layers=5, experts=32, top_k=4)
    problem = Problem(**a_world(architecture=model, routing=a_routing(model, samples=20)))
    (kind,) = gathered(problem)
    for index in np.flatnonzero(stripes_of(kind))[::7].tolist():
        estimate = problem.estimate(kind.candidate(problem, index).placed)
        latency, scores = estimate.latency, kind.scores
        assert scores.cost[index] == pytest.approx(problem.cost(estimate), rel=0.04)
        others = estimate.load
        late = (
            latency.ttft_at_percentile_seconds - others.line_at_percentile_seconds,
            latency.tpot_at_percentile_seconds - others.token_at_percentile_seconds,
        )
        assert scores.ttft_seconds[index] == pytest.approx(late[0], rel=0.15)
        assert scores.tpot_seconds[index] == pytest.approx(late[1], rel=0.15)


def test_experts_of_a_layer_are_dealt_evenly_over_functions():
    model = an_architecture(layers=5, experts=32, top_k=4)
    problem = Problem(**a_world(architecture=model))
    (kind,) = gathered(problem)
    for index in np.flatnonzero(stripes_of(kind)).tolist():
        homes = kind.candidate(problem, index).placed.homes
        counts = np.stack([np.bincount(row, minlength=homes.max() + 1)[1:] for row in homes])
        assert np.all(np.ptp(counts, axis=1) <= 1)
        assert np.ptp(counts.sum(axis=0)) <= 1


@pytest.mark.parametrize("seed", [1, 4, 9])
def test_the_model_of_sums_costs_what_the_estimator_says(seed):
    for samples in (0, 20):
        problem = Problem(**a_random_world(seed, samples=samples))
        kinds = [layered(problem, PoolKnobs()), *gathered(problem)]
        for kind in kinds:
            possible = np.flatnonzero(np.isfinite(kind.scores.cost) & ~stripes_of(kind))
            for index in possible[:: max(len(possible) // 5, 1)].tolist():
                candidate = kind.candidate(problem, index)
                estimate = problem.estimate(candidate.placed)
                assert kind.scores.cost[index] == pytest.approx(problem.cost(estimate), rel=1e-3)
                latency, others = estimate.latency, estimate.load
                assert kind.scores.ttft_seconds[index] == pytest.approx(
                    latency.ttft_at_percentile_seconds - others.line_at_percentile_seconds, rel=2e-2
                )
                assert kind.scores.tpot_seconds[index] == pytest.approx(
                    latency.tpot_at_percentile_seconds - others.token_at_percentile_seconds, rel=0.2
                )


def test_even_routing_without_samples_is_planned_for():
    problem = Problem(**a_world(routing=a_routing(a_world()["architecture"], skew=1e6)))

    assert np.isfinite(layered(problem, PoolKnobs()).scores.cost).any()
