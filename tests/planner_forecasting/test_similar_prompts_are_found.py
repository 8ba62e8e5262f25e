"""The search finds neighbors, and the paper's tree finds most of them."""

from __future__ import annotations

import numpy as np
import pytest
from planner_forecasting.routing_world import SHAPE, routed

from remoe_planner.forecasting.cluster_tree import ClusterTree, TreeKnobs
from remoe_planner.forecasting.context_keys import context_keys, word_classes
from remoe_planner.forecasting.exact_index import ExactIndex
from remoe_planner.forecasting.neighbors import NeighborForecaster, NeighborKnobs
from remoe_planner.forecasting.routed_prompt import Query


def units(count, seed=0):
    """Directions around ten centers."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(10, 16))
    points = centers[rng.integers(0, 10, count)] + 0.2 * rng.normal(size=(count, 16))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def test_the_tree_finds_most_true_neighbors_in_clustered_prompts():
    held, asked = units(1000), units(30, seed=0)
    tree, exact = ClusterTree(held, TreeKnobs(beta=150)), ExactIndex(held)
    found = [len(np.intersect1d(tree.nearest(u, 15)[0], exact.nearest(u, 15)[0])) for u in asked]
    assert np.mean(found) > 0.5 * 15


def test_a_tree_with_small_leaves_still_gives_as_many_as_were_asked():
    tree = ClusterTree(units(200), TreeKnobs(beta=5))
    assert len(tree.nearest(units(1, seed=2)[0], 15)[0]) == 15


def test_a_tree_of_one_prompt_many_times_over_is_one_leaf():
    tree = ClusterTree(np.repeat(units(1), 400, axis=0), TreeKnobs(beta=10))
    assert tree.nearest(units(1)[0], 3)[0].tolist() == [0, 1, 2]


def test_the_temperature_is_fitted_to_trust_the_nearest_where_they_tell_most():
    made = NeighborForecaster(SHAPE, width=2, knobs=NeighborKnobs(alpha=10, temperature=3.0))
    for i in range(40):
        angle = (i // 4) * 0.15
        vector = np.array([np.cos(angle), np.sin(angle)], np.float32)
        made.observe(routed([i // 4] * 6, vector=vector))
    made.refit()
    assert made.arrays()["temperature"] < 0.1


def test_a_full_history_gives_up_its_oldest_prompt():
    made = NeighborForecaster(SHAPE, width=2, knobs=NeighborKnobs(capacity=3))
    for i in range(5):
        made.observe(routed([i], vector=np.ones(2, np.float32)))
    assert made.arrays()["units"].shape == (3, 2)
    assert made.forecast(Query(tokens=np.array([1]), vector=np.ones(2, np.float32))).evidence == 3


def test_a_vector_of_another_width_is_refused():
    made = NeighborForecaster(SHAPE, width=2)
    with pytest.raises(ValueError, match="vector must have shape"):
        made.observe(routed([1], vector=np.ones(3, np.float32)))


def test_words_are_told_apart_by_neither_case_nor_space():
    classes = word_classes(["Ġthe", "The", "▁THE", "a"])
    assert classes.tolist() == [0, 0, 0, 1]


def test_contexts_differ_by_order_and_kind():
    keys = context_keys(np.array([1, 2, 1, 2, 1]), None)
    assert keys[2][1] == keys[2][3] != keys[2][2]
    assert keys[3][3] != keys[3][1]
    assert len(np.unique(keys[:, 0])) == 4


def test_tokens_beyond_the_vocabulary_are_words_of_their_own():
    keys = context_keys(np.array([0, 7, 8]), np.array([5, 5]))
    assert len(np.unique(keys[0])) == 3


def test_keys_of_another_salt_never_match():
    tokens = np.arange(50)
    assert not np.isin(context_keys(tokens, None, 1), context_keys(tokens, None, 2)).any()


@pytest.mark.parametrize("salt", [0, 2**64 - 1])
def test_any_salt_of_64_bits_will_do(salt):
    assert context_keys(np.arange(3), None, salt).shape == (4, 3)
