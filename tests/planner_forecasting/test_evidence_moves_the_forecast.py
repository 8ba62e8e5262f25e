"""More evidence moves a forecast towards it; its order does not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planner_forecasting.routing_world import SHAPE, forecaster, prompts, routed

from remoe_planner.forecasting.divergences import layer_divergences
from remoe_planner.forecasting.fitting import FitKnobs

ASKED = st.lists(st.integers(0, 39), min_size=2, max_size=25)


def off(made, prompt):
    forecast = made.forecast(prompt.query).frequencies
    return layer_divergences(forecast, prompt.frequencies(SHAPE)).mean()


@given(order=st.permutations(range(12)), asked=ASKED)
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_history_changes_nothing(order, asked):
    history = prompts(12)
    query = routed(asked).query
    straight = forecaster(history).forecast(query).frequencies
    shuffled = forecaster([history[i] for i in order]).forecast(query).frequencies
    assert np.allclose(straight, shuffled, atol=1e-6)


def test_the_order_of_the_history_does_not_change_the_fit():
    history = prompts(60)
    first, second = forecaster(history), forecaster(history)
    first.refit(history)
    second.refit(history[::-1])
    query = prompts(1, seed=5)[0].query
    assert np.allclose(
        first.forecast(query).frequencies, second.forecast(query).frequencies, atol=1e-3
    )


@given(asked=ASKED)
@settings(max_examples=20, deadline=None)
def test_the_same_prompt_again_and_again_is_forecast_ever_better(asked):
    made = forecaster(prompts(20))
    prompt = routed(asked)
    errors = [off(made, prompt)]
    for _ in range(4):
        made.observe(prompt)
        errors.append(off(made, prompt))
    assert errors[-1] <= errors[0] + 1e-9
    assert errors[-1] < 0.1


def test_a_fit_forecasts_new_prompts_better_than_tables_alone():
    history, tests = prompts(150), prompts(40, seed=9)
    made = forecaster(history)
    before = np.mean([off(made, prompt) for prompt in tests])
    made.refit(history)
    assert np.mean([off(made, prompt) for prompt in tests]) < before


def test_a_prompt_that_came_twice_is_fitted_once():
    history = prompts(40)
    once, twice = forecaster(history), forecaster(history)
    once.refit(history)
    twice.refit(history + history)
    query = prompts(1, seed=5)[0].query
    assert once.forecast(query).trust == twice.forecast(query).trust


def test_with_too_few_prompts_a_fit_changes_nothing():
    history = prompts(5)
    made = forecaster(history)
    query = history[0].query
    before = made.forecast(query).frequencies
    made.refit(history, FitKnobs(least_prompts=6))
    assert np.array_equal(before, made.forecast(query).frequencies)


def test_forgotten_routing_gives_way_to_new():
    prompt = routed([1, 2, 3, 4])
    other = routed([1, 2, 3, 4], noise=1.0, seed=3)
    made = forecaster([prompt] * 30)
    for _ in range(5):
        made.forget_half()
    for _ in range(4):
        made.observe(other)
    forecast = made.forecast(prompt.query).frequencies
    old, new = (layer_divergences(forecast, p.frequencies(SHAPE)).mean() for p in (prompt, other))
    assert new < old


def test_a_state_restored_from_arrays_forecasts_the_same(tmp_path):
    history = prompts(60)
    made = forecaster(history)
    made.refit(history)
    np.savez(tmp_path / "state.npz", **made.arrays())
    again = forecaster()
    with np.load(tmp_path / "state.npz", allow_pickle=False) as arrays:
        again.restore(dict(arrays))
    query = prompts(1, seed=5)[0].query
    first, second = made.forecast(query), again.forecast(query)
    assert np.array_equal(first.frequencies, second.frequencies)
    assert first.trust == second.trust
    for name, array in made.arrays().items():
        assert np.array_equal(array, again.arrays()[name]), name


def test_routing_of_another_shape_is_refused():
    made = forecaster()
    wide = routed([1, 2], shape=type(SHAPE)(layers=4, experts=8, top_k=2))
    with pytest.raises(ValueError, match="experts must be"):
        made.observe(wide)
