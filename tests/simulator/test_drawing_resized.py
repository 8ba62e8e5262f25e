"""Routing made into that of another model keeps how uneven it was, and how unlike prompts are."""

import numpy as np
import pytest
from builders.routed_texts import SHAPE, counted, routed_texts
from hypothesis import given
from hypothesis import strategies as st

from remoe_planner.forecasting.shape import RoutingShape
from remoe_simulator.drawing.likeness import Likeness
from remoe_simulator.drawing.neighborhood import neighborhoods
from remoe_simulator.drawing.resizing import Resizing

TEXTS = routed_texts(32, tokens=200)
COUNTS = np.stack([counted(text.prompt, SHAPE) for text in TEXTS])
SHAPES = st.integers(1, 40).flatmap(
    lambda experts: st.builds(
        RoutingShape,
        layers=st.integers(1, 7),
        experts=st.just(experts),
        top_k=st.integers(1, min(experts, 10)),
    )
)


def resizing(target, seed=0):
    return Resizing.of(COUNTS, SHAPE, target, seed=seed)


def shape(experts, top_k, layers=5):
    return RoutingShape(layers=layers, experts=experts, top_k=top_k)


def likeness(target):
    made = resizing(target)
    return Likeness.of(np.stack([counted(made.picks(t.prompt), target) for t in TEXTS]))


@given(SHAPES, st.integers(0, 3))
def test_every_token_visits_top_k_different_experts_of_the_new_model(target, seed):
    made = resizing(target, seed).picks(TEXTS[0].prompt[:12]).astype(int)
    assert made.shape == (12, target.layers, target.top_k)
    assert made.min() >= 0
    assert made.max() < target.experts
    assert (np.diff(np.sort(made, axis=-1), axis=-1) > 0).all()


def test_a_token_goes_the_same_way_twice_in_whatever_order_its_experts_stand():
    made, tokens = resizing(shape(40, 6)), TEXTS[0].prompt[:9]
    turned = np.concatenate([tokens[:, :, ::-1], tokens[:, :, [2, 0, 3, 1]]])
    expected = np.sort(made.picks(tokens), axis=-1)
    assert (np.sort(made.picks(turned), axis=-1) == np.concatenate([expected] * 2)).all()


def test_a_token_goes_its_way_whatever_stands_beside_it():
    made, tokens = resizing(shape(40, 6)), TEXTS[0].prompt
    assert (made.picks(tokens)[5:9] == made.picks(tokens[5:9])).all()


def test_the_same_seed_makes_the_same_model_and_another_one_another():
    picks = [resizing(shape(32, 4), seed).picks(TEXTS[0].prompt) for seed in (1, 1, 2)]
    assert (picks[0] == picks[1]).all()
    assert (picks[0] != picks[2]).any()


@pytest.mark.parametrize("target", [shape(8, 2), shape(12, 3), shape(32, 6), shape(64, 8)])
def test_the_busiest_part_of_the_experts_gets_what_it_got(target):
    assert likeness(target).busiest == pytest.approx(Likeness.of(COUNTS).busiest, rel=0.12)


@pytest.mark.parametrize("target", [shape(32, 4), shape(32, 8), shape(64, 8), shape(16, 4)])
def test_prompts_stay_as_unlike_where_experts_become_no_fewer(target):
    recorded, made = Likeness.of(COUNTS), likeness(target)
    assert made.from_mean == pytest.approx(recorded.from_mean, rel=0.35)
    assert made.between == pytest.approx(recorded.between, rel=0.35)


def test_half_as_many_experts_keep_most_of_what_prompts_differ_in():
    recorded, made = Likeness.of(COUNTS), likeness(shape(8, 2))
    assert 0.4 * recorded.between < made.between < recorded.between


def test_experts_that_are_busy_in_the_same_prompts_stand_beside_each_other():
    topics = np.random.default_rng(0).integers(0, 4, size=60)
    of_expert = np.array([0, 1, 2, 3, 0, 1, 2, 3])
    counts = 1 + 20 * (of_expert == topics[:, None])
    counts = counts + np.random.default_rng(1).integers(0, 3, size=counts.shape)
    order = neighborhoods(counts[:, None])[0]
    assert sorted(order.tolist()) == list(range(8))
    assert (of_expert[order[0::2]] == of_expert[order[1::2]]).all()


def test_experts_that_never_change_have_a_place_too():
    counts = np.ones((5, 1, 6))
    assert sorted(neighborhoods(counts)[0].tolist()) == list(range(6))


def test_nothing_becomes_nothing():
    assert resizing(shape(8, 2)).picks(TEXTS[0].answer).shape == (0, 5, 2)


def test_routing_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"picks must be \[tokens, 3, 4\]"):
        resizing(shape(8, 2)).picks(TEXTS[0].prompt[:, :2])
    with pytest.raises(ValueError, match="counts must be"):
        Resizing.of(COUNTS[0], SHAPE, shape(8, 2), seed=0)


def test_likeness_wants_two_prompts():
    with pytest.raises(ValueError, match="at least two prompts, got 1"):
        Likeness.of(COUNTS[:1])


def test_prompts_alike_have_no_divergence():
    same = Likeness.of(np.stack([COUNTS[0]] * 4))
    assert same.from_mean == pytest.approx(0, abs=1e-9)
    assert same.between == pytest.approx(0, abs=1e-9)
