"""Nothing that is served was ever learned from."""

import numpy as np
import pytest
from builders.recorded_traces import trace
from evaluation.sides import SAME_START, halves
from evaluation.traces import sides
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.lists(st.text("ab \n", min_size=1, max_size=6), min_size=2, max_size=40)


@given(TEXTS, st.integers(0, 5))
def test_no_text_is_on_both_sides_and_none_is_lost(texts, seed):
    if len({" ".join(text.split()) for text in texts}) < 2:
        return
    train, test = halves(texts, seed)
    assert not {texts[row] for row in train} & {texts[row] for row in test}
    assert sorted([*train, *test]) == list(range(len(texts)))


def test_texts_that_begin_alike_stand_on_one_side():
    start = "x" * SAME_START
    texts = [f"{start}{n}" for n in range(20)] + [f"other {n}" for n in range(20)]
    for seed in range(5):
        train, _ = halves(texts, seed)
        assert len(set(range(20)) & set(train.tolist())) in (0, 20)


def test_case_and_spaces_make_no_other_text():
    train, test = halves(["Hello  World", "hello world", "hello\nworld ", "bye"], 0)
    assert {frozenset(train.tolist()), frozenset(test.tolist())} == {
        frozenset({0, 1, 2}),
        frozenset({3}),
    }


def test_a_seed_gives_the_same_sides_twice_and_another_one_others():
    made = trace(60)
    one, same, other = sides(made, 1), sides(made, 1), sides(made, 2)
    assert (one.train == same.train).all()
    assert (one.test == same.test).all()
    assert not np.array_equal(one.train, other.train)


def test_halves_are_halves():
    both = sides(trace(60), 3)
    assert (len(both.train), len(both.test)) == (30, 30)


@pytest.mark.parametrize("texts", [[], ["same"], ["same", "Same "]])
def test_one_text_cannot_be_on_two_sides(texts):
    with pytest.raises(ValueError, match="at least two"):
        halves(texts, 0)
