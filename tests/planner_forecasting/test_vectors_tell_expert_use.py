"""Where use follows the vector, the regression finds it, and knows how sure it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planner_forecasting.routing_world import SHAPE, prompts, routed

from remoe_planner.activation_history import ActivationHistory
from remoe_planner.forecasting.choice import ForecasterSpec, new_forecaster
from remoe_planner.forecasting.divergences import layer_divergences
from remoe_planner.forecasting.forecaster import Method
from remoe_planner.forecasting.from_history import answer_forecaster, prompt_forecaster
from remoe_planner.forecasting.joint_forecaster import JointForecaster
from remoe_planner.forecasting.neighbors import NeighborKnobs
from remoe_planner.forecasting.outlook import Basis
from remoe_planner.forecasting.routed_prompt import Query, RoutedPrompt

WIDTH = 24
TABLE = np.random.default_rng(1).normal(size=(64, WIDTH)).astype(np.float32)


def world(count, *, seed=0, noise=0.1):
    """Prompts with the sums of their tokens' embeddings."""
    return [
        RoutedPrompt(
            query=Query(tokens=p.query.tokens, vector=TABLE[p.query.tokens].sum(axis=0)),
            experts=p.experts,
        )
        for p in prompts(count, seed=seed, noise=noise)
    ]


def learned(method, history, **knobs):
    spec = ForecasterSpec(shape=SHAPE, width=WIDTH, neighbors=NeighborKnobs(**knobs))
    made = new_forecaster(method, spec)
    for prompt in history:
        made.observe(prompt)
    if method is Method.JOINT:
        made.refit(history)
    else:
        made.refit()
    return made


def off(made, tests):
    spreads = np.stack([made.forecast(p.query).frequencies for p in tests])
    actual = np.stack([p.frequencies(SHAPE) for p in tests])
    return layer_divergences(spreads, actual).mean(axis=1)


@pytest.fixture(scope="module")
def history():
    return world(250)


@pytest.fixture(scope="module")
def fitted(history):
    return learned(Method.VECTOR, history)


def test_the_regression_beats_the_neighbors_and_they_beat_the_mean(history, fitted):
    tests = world(60, seed=5)
    neighbors, mean = (
        learned(Method.NEIGHBORS, history),
        new_forecaster(Method.MEAN, ForecasterSpec(shape=SHAPE)),
    )
    for prompt in history:
        mean.observe(prompt)
    ours, theirs, poorest = (off(made, tests).mean() for made in (fitted, neighbors, mean))
    assert ours < theirs < poorest


@given(values=st.lists(st.floats(-1e3, 1e3, width=32), min_size=WIDTH, max_size=WIDTH))
@settings(max_examples=50, deadline=None)
def test_any_vector_gives_a_distribution(fitted, values):
    spread = fitted.forecast(
        Query(tokens=np.arange(3), vector=np.array(values, np.float32))
    ).frequencies
    assert np.all(spread >= 0)
    assert np.allclose(spread.sum(axis=1), 1)


@pytest.mark.parametrize("method", [Method.TREE, Method.NEIGHBORS, Method.VECTOR])
def test_the_same_history_and_prompt_give_the_same_forecast(history, method):
    asked = world(1, seed=9)[0].query
    first, second = (learned(method, history[:80]).forecast(asked) for _ in range(2))
    assert np.array_equal(first.frequencies, second.frequencies)
    assert first.trust == second.trust


def test_it_says_what_it_rests_on(fitted):
    tokens = np.arange(4)
    assert fitted.forecast(world(1, seed=3)[0].query).basis is Basis.VECTOR
    assert fitted.forecast(Query(tokens=tokens)).basis is Basis.MEAN
    few = learned(Method.VECTOR, world(10))
    assert few.forecast(world(1, seed=3)[0].query).basis is Basis.SIMILAR_PROMPTS


def test_expected_divergence_is_near_what_happens(fitted):
    tests = world(120, seed=21)
    said = np.mean([fitted.forecast(p.query).trust.expected_divergence for p in tests])
    assert 0.7 < said / off(fitted, tests).mean() < 1.4


def test_counts_fall_inside_their_interval_as_often_as_promised(fitted):
    inside = []
    for prompt in world(100, seed=22):
        n = len(prompt.query.tokens)
        low, high = fitted.forecast(prompt.query).count_interval(n, SHAPE.top_k, 0.9)
        counts = prompt.counts(SHAPE)
        inside.append(((low <= counts) & (counts <= high)).mean())
    assert np.mean(inside) > 0.85


def test_prompts_that_came_after_the_fit_are_neighbors_at_once():
    made = learned(Method.VECTOR, world(60), alpha=1)
    strange = RoutedPrompt(
        query=Query(tokens=np.full(9, 63), vector=100 * TABLE[63]),
        experts=routed([63] * 9, noise=1.0, seed=4).experts,
    )
    before = off(made, [strange])
    made.observe(strange)
    assert off(made, [strange]) <= before


def test_a_full_ring_forgets_its_oldest_and_keeps_its_bytes():
    made = learned(Method.VECTOR, world(100), capacity=64)
    held = made.nbytes
    for prompt in world(100, seed=2):
        made.observe(prompt)
    assert made.nbytes == held
    assert made.arrays()["units"].shape == (64, WIDTH)
    assert np.isfinite(off(made, world(5, seed=6))).all()


@pytest.mark.parametrize("method", [Method.NEIGHBORS, Method.VECTOR])
def test_one_prompt_many_times_over_is_foretold_as_it_went_without_a_promise(method):
    prompt = world(1)[0]
    made = learned(method, [prompt] * 40)
    assert off(made, [prompt])[0] < 0.01
    assert made.forecast(prompt.query).trust is None


def test_counts_alone_are_enough_to_learn_from():
    whole, counted = (
        new_forecaster(Method.VECTOR, ForecasterSpec(shape=SHAPE, width=WIDTH)) for _ in range(2)
    )
    for prompt in world(50):
        whole.observe(prompt)
        counted.learn(prompt.query, prompt.frequencies(SHAPE))
    whole.refit()
    counted.refit()
    asked = world(1, seed=8)[0].query
    first, second = whole.forecast(asked), counted.forecast(asked)
    assert np.array_equal(first.frequencies, second.frequencies)


@pytest.mark.parametrize("method", [Method.NEIGHBORS, Method.VECTOR])
def test_frequencies_of_another_shape_are_refused(method):
    made = new_forecaster(method, ForecasterSpec(shape=SHAPE, width=WIDTH))
    with pytest.raises(ValueError, match="frequencies must be"):
        made.learn(Query(tokens=np.arange(2), vector=TABLE[0]), np.ones((1, 2)))


def test_a_vector_that_is_no_number_is_refused(fitted):
    with pytest.raises(ValueError, match="finite"):
        fitted.forecast(Query(tokens=np.arange(2), vector=np.full(WIDTH, np.nan, np.float32)))


def test_wide_vectors_are_folded_and_still_tell():
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(64, 1500)).astype(np.float32)
    made = new_forecaster(Method.VECTOR, ForecasterSpec(shape=SHAPE, width=1500))
    mean = new_forecaster(Method.MEAN, ForecasterSpec(shape=SHAPE))

    def widened(prompt):
        tokens = prompt.query.tokens
        return RoutedPrompt(
            query=Query(tokens=tokens, vector=wide[tokens].sum(axis=0)), experts=prompt.experts
        )

    for prompt in prompts(100):
        made.observe(widened(prompt))
        mean.observe(prompt)
    made.refit()
    tests = [widened(p) for p in prompts(30, seed=4)]
    assert off(made, tests).mean() < 0.95 * off(mean, tests).mean()


@pytest.fixture(scope="module")
def joint():
    return learned(Method.JOINT, world(70))


def test_context_and_vector_together_are_better_than_the_vector_alone(joint):
    tests = world(40, seed=32)
    assert off(joint, tests).mean() < off(learned(Method.VECTOR, world(70)), tests).mean()


def test_the_share_goes_to_whoever_has_been_right(joint):
    assert isinstance(joint, JointForecaster)
    before = joint.share
    for prompt in prompts(50, seed=40):
        # Vectors that tell nothing of these prompts.
        vector = TABLE[np.random.default_rng(len(prompt.experts)).integers(0, 64)]
        query = Query(tokens=prompt.query.tokens, vector=vector)
        joint.observe(RoutedPrompt(query=query, experts=prompt.experts))
    assert joint.share < before


def test_a_recorded_history_teaches_prompts_and_answers():
    held, answers = world(60), world(60, seed=60)
    counts, others = (np.stack([p.counts(SHAPE) for p in ps]) for ps in (held, answers))
    others[::2] = 0
    recorded = ActivationHistory(
        vectors=np.stack([p.query.vector for p in held]),
        prefill=counts.astype(np.uint32),
        decode=others.astype(np.uint32),
        prompt_tokens=np.array([len(p.experts) for p in held], np.uint32),
        decode_tokens=np.ones(60, np.uint32),
    )
    asked = world(1, seed=8)[0].query
    expected = learned(Method.VECTOR, held).forecast(asked)
    made = prompt_forecaster(recorded, SHAPE).forecast(asked)
    assert np.allclose(made.frequencies, expected.frequencies, atol=1e-3)
    assert len(answer_forecaster(recorded, SHAPE).arrays()["units"]) == 30
    with pytest.raises(ValueError, match="frequencies must be"):
        prompt_forecaster(recorded, replace(SHAPE, layers=5))
