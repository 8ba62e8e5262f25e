"""Expected error follows real error, on prompts the fit has not seen."""

from __future__ import annotations

import numpy as np
import pytest
from planner_forecasting.routing_world import SHAPE, forecaster, prompts

from remoe_planner.forecasting.after_prefill import Continuation, fit_after_prefill
from remoe_planner.forecasting.divergences import layer_divergences
from remoe_planner.forecasting.outlook import Basis, uniform_outlook


@pytest.fixture(scope="module")
def fitted():
    history = prompts(250, noise=0.3, length=(4, 60))
    made = forecaster(history)
    made.refit(history)
    return made


@pytest.fixture(scope="module")
def unseen():
    return prompts(120, seed=21, noise=0.3, length=(4, 60))


def test_nothing_is_promised_before_a_fit():
    outlook = forecaster(prompts(5)).forecast(prompts(1, seed=2)[0].query)
    assert outlook.trust is None
    assert outlook.count_interval(10, 2, 0.9) is None


def test_expected_divergence_is_near_what_happens(fitted, unseen):
    expected, real = [], []
    for prompt in unseen:
        outlook = fitted.forecast(prompt.query)
        expected.append(outlook.trust.expected_divergence)
        actual = prompt.frequencies(SHAPE)
        real.append(layer_divergences(outlook.frequencies, actual).mean())
    assert 0.8 < np.mean(expected) / np.mean(real) < 1.25
    assert np.corrcoef(np.log(expected), np.log(real))[0, 1] > 0.6


@pytest.mark.parametrize(("level", "least"), [(0.5, 0.45), (0.9, 0.85)])
def test_counts_fall_inside_their_interval_as_often_as_promised(fitted, unseen, level, least):
    inside = []
    for prompt in unseen:
        n = len(prompt.query.tokens)
        low, high = fitted.forecast(prompt.query).count_interval(n, SHAPE.top_k, level)
        counts = prompt.counts(SHAPE)
        inside.append(((low <= counts) & (counts <= high)).mean())
    assert np.mean(inside) > least


def test_another_level_is_refused(fitted, unseen):
    with pytest.raises(ValueError, match="level"):
        fitted.forecast(unseen[0].query).count_interval(5, 2, 0.7)


def test_true_counts_of_the_prompt_pull_the_decode_forecast_towards_them():
    even = uniform_outlook(SHAPE.table)
    counts = prompts(1)[0].counts(SHAPE)
    true = counts / counts.sum(axis=1, keepdims=True)
    past = [Continuation(forecast=even.frequencies, counts=counts, rest=true)]
    updated = fit_after_prefill(past).update(even, counts)
    assert updated.basis is Basis.PROMPT
    assert layer_divergences(updated.frequencies, true).mean() < 0.01


def test_a_prompt_that_ran_no_token_leaves_the_forecast_as_it_is():
    even = uniform_outlook(SHAPE.table)
    past = [
        Continuation(forecast=even.frequencies, counts=np.ones(SHAPE.table), rest=even.frequencies)
    ]
    assert fit_after_prefill(past).update(even, np.zeros(SHAPE.table)) is even


def test_negative_counts_are_refused():
    even = uniform_outlook(SHAPE.table)
    past = [
        Continuation(forecast=even.frequencies, counts=np.ones(SHAPE.table), rest=even.frequencies)
    ]
    with pytest.raises(ValueError, match="counts"):
        fit_after_prefill(past).update(even, -np.ones(SHAPE.table))
