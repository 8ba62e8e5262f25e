"""Prompts to be measured with are drawn by seed, and none of them was learned from."""

import json

import pytest
from evaluation.prompts import CHARACTERS, FILE, drawn_prompts


@pytest.fixture
def data(tmp_path):
    texts = [f"{n} {'word ' * n}" for n in range(150)]
    lines = [json.dumps({"prompt": text}) for text in [*texts, *texts[:20]]]
    (tmp_path / FILE).write_text("\n".join(lines))
    return tmp_path


def test_no_prompt_is_on_both_sides(data):
    made = drawn_prompts(data, train=40, test=40)
    assert len(set(made.train)) == len(set(made.test)) == 40
    assert not set(made.train) & set(made.test)


def test_a_seed_gives_the_same_prompts_twice_and_another_one_others(data):
    assert drawn_prompts(data, train=9, test=9) == drawn_prompts(data, train=9, test=9)
    assert drawn_prompts(data, train=9, test=9) != drawn_prompts(data, train=9, test=9, seed=1)


def test_fewer_prompts_are_the_first_of_more(data):
    more, fewer = drawn_prompts(data, train=9, test=30), drawn_prompts(data, train=40, test=10)
    assert more.test[:10] == fewer.test
    assert more.train == fewer.train[:9]


def test_long_prompts_are_cut(data):
    made = drawn_prompts(data, train=70, test=70)
    assert max(map(len, made.test)) <= CHARACTERS
    assert max(map(len, drawn_prompts(data, train=70, test=70, characters=20).test)) <= 20


def test_more_prompts_than_there_are_is_an_error(data):
    with pytest.raises(ValueError, match="test must be <= "):
        drawn_prompts(data, train=10, test=500)
