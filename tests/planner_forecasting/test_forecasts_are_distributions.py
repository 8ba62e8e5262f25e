"""Whatever is asked, and however little is known, a forecast is a distribution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planner_forecasting.routing_world import SHAPE, prompts, routed

from remoe_planner.forecasting.choice import ForecasterSpec, new_forecaster
from remoe_planner.forecasting.forecaster import Method
from remoe_planner.forecasting.outlook import Basis
from remoe_planner.forecasting.routed_prompt import Query

TOKENS = st.lists(st.integers(0, 60), max_size=40)


def is_distribution(frequencies):
    return (
        frequencies.shape == SHAPE.table
        and np.all(frequencies >= 0)
        and np.allclose(frequencies.sum(axis=1), 1)
    )


@pytest.mark.parametrize("method", list(Method))
@given(history=st.lists(TOKENS, max_size=6), asked=TOKENS)
@settings(max_examples=25, deadline=None)
def test_any_history_and_any_prompt_give_a_distribution(method, history, asked):
    made = new_forecaster(method, ForecasterSpec(shape=SHAPE, width=4))
    for i, tokens in enumerate(history):
        made.observe(routed(tokens, noise=0.5, seed=i, vector=np.full(4, i, np.float32)))
    query = Query(tokens=np.array(asked, np.int64), vector=np.ones(4, np.float32))
    assert is_distribution(made.forecast(query).frequencies)


@pytest.mark.parametrize("method", list(Method))
def test_without_a_history_the_forecast_is_even_and_says_so(method):
    made = new_forecaster(method, ForecasterSpec(shape=SHAPE, width=4))
    outlook = made.forecast(Query(tokens=np.array([1, 2]), vector=np.ones(4, np.float32)))
    assert outlook.basis is Basis.UNIFORM
    assert np.all(outlook.frequencies == 1 / SHAPE.experts)


def test_tokens_never_seen_are_forecast_as_the_mean_and_it_says_so():
    made = new_forecaster(Method.CONTEXT, ForecasterSpec(shape=SHAPE))
    history = prompts(10)
    for prompt in history:
        made.observe(prompt)
    outlook = made.forecast(Query(tokens=np.array([900, 901, 902])))
    hits = sum(prompt.counts(SHAPE) for prompt in history)
    assert outlook.basis is Basis.MEAN
    assert outlook.evidence == 0
    assert np.allclose(outlook.frequencies, hits / hits.sum(axis=1, keepdims=True), atol=1e-5)


def test_a_prompt_without_a_vector_is_forecast_as_the_mean_of_its_neighbors():
    made = new_forecaster(Method.NEIGHBORS, ForecasterSpec(shape=SHAPE, width=4))
    made.observe(routed([1, 2, 3], vector=np.ones(4, np.float32)))
    assert made.forecast(Query(tokens=np.array([1]))).basis is Basis.MEAN
