from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from remoe_planner.sizing.decaying_time import DecayingTime
from remoe_planner.sizing.dual import SizingProblem, sizes_at, solve_dual


def a_problem(seed, layers=6, main_price=20.0):
    chance = np.random.default_rng(seed)
    return SizingProblem(
        time=DecayingTime(
            gain_seconds=chance.uniform(0.01, 0.1),
            rate_per_gib=chance.uniform(0.5, 4),
            floor_seconds=chance.uniform(0.001, 0.02),
        ),
        shares=chance.uniform(0.02, 0.6, layers),
        call_seconds=chance.uniform(0.0005, 0.005, layers),
        least_gib=chance.uniform(0.2, 0.8, layers),
        most_gib=np.full(layers, 6.0),
        main_price=main_price,
        gib_price=1.0,
    )


def by_slsqp(problem, budget):
    bounds = list(zip(problem.least_gib, problem.most_gib, strict=True))
    constraint = {"type": "ineq", "fun": lambda y: (budget - problem.seconds(y).sum()) * 100}
    starts = (problem.most_gib, (problem.least_gib + problem.most_gib) / 2)
    found = [
        minimize(
            lambda y: problem.cost(y).sum(),
            start,
            bounds=bounds,
            constraints=[constraint],
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        for start in starts
    ]
    return min(result.fun for result in found if result.success)


@given(st.integers(0, 10_000), st.floats(0.02, 0.98))
@settings(deadline=None, max_examples=25)
def test_dual_is_as_cheap_as_slsqp_where_convex(seed, tightness):
    problem = a_problem(seed)
    fastest = problem.seconds(problem.most_gib).sum()
    budget = fastest + tightness * (problem.seconds(sizes_at(problem, 0)).sum() - fastest)

    sizing = solve_dual(problem, budget)

    assert problem.is_convex
    assert sizing.kept
    assert problem.seconds(sizing.gib).sum() <= budget * (1 + 1e-9)
    assert problem.cost(sizing.gib).sum() == pytest.approx(by_slsqp(problem, budget), rel=1e-6)


@given(st.integers(0, 10_000), st.floats(0.02, 0.9), st.floats(1.0, 1.5))
@settings(deadline=None, max_examples=25)
def test_cost_never_rises_when_the_budget_is_loosened(seed, tightness, looser):
    problem = a_problem(seed)
    fastest = problem.seconds(problem.most_gib).sum()
    budget = fastest + tightness * (problem.seconds(problem.least_gib).sum() - fastest)

    tight, loose = (solve_dual(problem, bound) for bound in (budget, budget * looser))

    assert problem.cost(loose.gib).sum() <= problem.cost(tight.gib).sum() * (1 + 1e-9)


def test_memory_that_gains_nothing_is_least_and_dear_seconds_take_the_most():
    problem = a_problem(1, main_price=0.0)
    nothing_gained = replace(problem, time=replace(problem.time, gain_seconds=0.0))

    assert np.array_equal(sizes_at(nothing_gained, 1e9), problem.least_gib)
    assert np.allclose(sizes_at(problem, 1e12), problem.most_gib)


def test_a_budget_that_cannot_be_kept_is_said_and_the_sizes_are_the_largest():
    problem = a_problem(2)

    sizing = solve_dual(problem, 1e-9)

    assert not sizing.kept
    assert np.array_equal(sizing.gib, problem.most_gib)


def test_a_main_model_of_terabytes_does_not_overflow():
    problem = a_problem(3, main_price=3000.0)

    sizes = sizes_at(problem, 0.0)

    nudged = [
        problem.cost(np.clip(sizes + d, problem.least_gib, problem.most_gib)) for d in (-1e-3, 1e-3)
    ]
    assert np.all(np.isfinite(sizes))
    assert all(np.all(problem.cost(sizes) <= cost + 1e-9) for cost in nudged)


@given(st.floats(0.01, 1), st.floats(0.3, 5), st.floats(0, 0.1))
@settings(deadline=None, max_examples=30)
def test_a_fit_finds_the_curve_that_the_points_come_from(gain, rate, floor):
    true = DecayingTime(gain_seconds=gain, rate_per_gib=rate, floor_seconds=floor)
    sizes = np.linspace(0.2, 5, 30)

    fitted = DecayingTime.fit(sizes, true.at(sizes))

    assert np.allclose(fitted.at(sizes), true.at(sizes), rtol=0, atol=2e-3 * gain)


@pytest.mark.parametrize("times", [[1.0], [1.0, float("nan")]])
def test_a_fit_needs_finite_points(times):
    with pytest.raises(ValueError, match="a fit needs"):
        DecayingTime.fit(np.arange(len(times)), times)
