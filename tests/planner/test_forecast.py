"""Which experts a prompt will use, told from prompts like it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remoe_planner.activation_history import ActivationHistory
from remoe_planner.divergence import jensen_shannon
from remoe_planner.forecast import Basis, Forecaster, SearchKnobs, forecast
from remoe_planner.prompt_vector import prompt_vector
from remoe_planner.utility import expert_utility


def history(vectors, prefill, decode=None):
    prefill = np.array(prefill, np.uint32)
    return ActivationHistory(
        vectors=np.array(vectors, np.float32),
        prefill=prefill,
        decode=np.zeros_like(prefill) if decode is None else np.array(decode, np.uint32),
        prompt_tokens=np.ones(len(prefill), np.uint32),
        decode_tokens=np.ones(len(prefill), np.uint32),
    )


TWO = history([[1, 0], [0, 1]], [[[8, 0]], [[0, 2]]])
"""One layer, two experts; prompts to the east use expert 0, prompts to the north expert 1."""


def vector(*values):
    return np.array(values, np.float32)


def test_nearest_prompt_alone_decides_where_alpha_is_one():
    made = forecast(TWO, vector(0.9, 0.1), SearchKnobs(alpha=1))
    assert made.frequencies.tolist() == [[1, 0]]
    assert (made.basis, made.neighbors) == (Basis.SIMILAR_PROMPTS, 1)
    assert made.similarity == pytest.approx(0.9 / np.hypot(0.9, 0.1))


def test_weights_are_the_softmax_of_the_cosines():
    made = forecast(TWO, vector(1, 0), SearchKnobs(temperature=1.0))
    east = np.exp(1) / (np.exp(1) + np.exp(0))
    assert made.frequencies[0] == pytest.approx([east, 1 - east])


def test_the_temperature_is_fitted_where_none_is_given():
    # Along an arc, use follows the place: the nearest tell most, and all alike would tell little.
    places = np.linspace(0, np.pi / 2, 60)
    along = np.stack([np.cos(places), np.sin(places)], axis=1)
    counts = np.stack([100 - np.arange(60), np.arange(60)], axis=1)[:, None] + 1
    recorded = history(along, counts)
    asked = vector(np.cos(0.4), np.sin(0.4))
    true = np.interp(0.4, places, counts[:, 0, 0] / counts.sum(axis=2)[:, 0])
    fitted = forecast(recorded, asked, SearchKnobs(alpha=60))
    flat = forecast(recorded, asked, SearchKnobs(alpha=60, temperature=3.0))
    errors = [abs(made.frequencies[0, 0] - true) for made in (fitted, flat)]
    assert errors[0] < 0.2 * errors[1]


def test_prompt_without_a_vector_gets_the_mean_of_history():
    for unknown in (None, vector(0, 0)):
        made = forecast(TWO, unknown)
        assert (made.basis, made.frequencies.tolist()) == (Basis.MEAN, [[0.5, 0.5]])


def test_prompt_with_no_neighbor_near_enough_gets_the_mean_of_history():
    knobs = SearchKnobs(min_similarity=0.5)
    assert forecast(TWO, vector(-1, -1), knobs).basis is Basis.MEAN


def test_recorded_prompts_without_a_vector_are_no_neighbors():
    some = history([[0, 0], [0, 1]], [[[8, 0]], [[0, 2]]])
    made = forecast(some, vector(0, 1))
    assert (made.neighbors, made.frequencies.tolist()) == (1, [[0, 1]])


def test_empty_history_gives_a_uniform_forecast():
    made = forecast(ActivationHistory.empty((3, 4), 2), vector(1, 0))
    assert made.basis is Basis.UNIFORM
    assert made.frequencies.shape == (3, 4)
    assert np.all(made.frequencies == 0.25)


def test_vector_of_another_width_is_refused():
    with pytest.raises(ValueError, match=r"vector must have shape \(2,\), got \(3,\)"):
        forecast(TWO, vector(1, 2, 3))


@given(
    st.lists(
        st.tuples(
            st.lists(st.floats(-10, 10, width=32), min_size=3, max_size=3),
            st.lists(st.integers(0, 9), min_size=4, max_size=4),
        ),
        min_size=1,
        max_size=8,
    ),
    st.lists(st.floats(-10, 10, width=32), min_size=3, max_size=3),
    st.integers(1, 10),
)
def test_every_forecast_is_a_distribution_over_each_layer(rows, query, alpha):
    recorded = history([v for v, _ in rows], [np.reshape(c, (2, 2)) for _, c in rows])
    made = Forecaster(recorded, SearchKnobs(alpha=alpha)).forecast(vector(*query))
    assert made.frequencies.sum(axis=1) == pytest.approx([1, 1])
    assert np.all(made.frequencies >= 0)


@pytest.mark.parametrize("knob", [{"alpha": 0}, {"temperature": 0.0}, {"min_similarity": 2.0}])
def test_search_knob_out_of_bounds_is_named(knob):
    with pytest.raises(ValueError, match=f"{next(iter(knob))} must be"):
        SearchKnobs(**knob)


def test_history_of_unequal_lengths_is_refused():
    with pytest.raises(ValueError, match="prefill must have 3 rows"):
        history(np.zeros((3, 2)), [[[1, 0]]])


def test_prompt_vector_is_the_sum_of_unit_embeddings():
    table = np.array([[3, 4], [0, 2], [0, 0]], np.float32)
    assert prompt_vector(table, [0, 1, 1, 2]) == pytest.approx([0.6, 0.8 + 2])


def test_prompt_vector_reads_bfloat16_bits():
    table = np.array([[3, 4], [0, 2]], np.float32)
    bits = (table.view(np.uint32) >> 16).astype(np.uint16)
    assert prompt_vector(bits, [0, 1]).tolist() == prompt_vector(table, [0, 1]).tolist()


def test_prompt_vector_of_no_tokens_is_zero():
    assert prompt_vector(np.ones((2, 3), np.float32), []).tolist() == [0, 0, 0]


@pytest.mark.parametrize("token", [-1, 2])
def test_token_out_of_the_vocabulary_is_refused(token):
    with pytest.raises(ValueError, match=r"tokens must be in 0\.\.1"):
        prompt_vector(np.ones((2, 3), np.float32), [token])


@given(st.lists(st.integers(0, 4), min_size=1), st.lists(st.integers(0, 4), min_size=1))
def test_cosine_of_prompt_vectors_is_the_papers_soft_cosine(one, other):
    table = np.random.default_rng(0).normal(size=(5, 6)).astype(np.float32)
    units = table / np.linalg.norm(table, axis=1, keepdims=True)
    gram = units @ units.T
    pair = gram[np.ix_(one, other)].sum()
    soft = pair / np.sqrt(gram[np.ix_(one, one)].sum() * gram[np.ix_(other, other)].sum())
    u, v = prompt_vector(table, one), prompt_vector(table, other)
    assert u @ v / np.linalg.norm(u) / np.linalg.norm(v) == pytest.approx(soft, abs=1e-4)


def test_utility_counts_prefill_and_decode():
    some = history([[0, 1], [1, 0]], [[[1, 0]], [[2, 5]]], [[[10, 0]], [[0, 20]]])
    assert expert_utility(some).tolist() == [[13, 25]]


def test_divergence_is_zero_for_equal_and_one_bit_for_disjoint_spreads():
    east, north = np.array([[1.0, 0]]), np.array([[0, 1.0]])
    assert jensen_shannon(east, east) == 0
    assert jensen_shannon(east, north) == 1
