"""Requests drawn from a recorded text have the length asked for, and the text's own routing."""

import numpy as np
import pytest
from builders.routed_texts import SHAPE, counted, routed_texts
from hypothesis import given
from hypothesis import strategies as st

from remoe_planner.forecasting.outlook import distribution
from remoe_simulator.drawing.bootstrap import continued, lengthened
from remoe_simulator.drawing.recorded_text import Length, RecordedText

TEXT = routed_texts(1)[0]
ANSWERED = routed_texts(1, answer_tokens=20)[0]
LENGTHS = st.builds(
    Length,
    prompt_tokens=st.integers(1, 300),
    output_tokens=st.integers(1, 60),
    chunk_tokens=st.integers(1, 120),
)


def drawn(text=TEXT, *, prompt=100, output=10, chunk=64, seed=0):
    length = Length(prompt_tokens=prompt, output_tokens=output, chunk_tokens=chunk)
    generator = np.random.default_rng(seed)
    return text.request("r", length, arrival_seconds=1.5, generator=generator)


@given(LENGTHS, st.sampled_from([TEXT, ANSWERED]))
def test_a_request_is_as_long_as_asked(length, text):
    made = text.request("r", length, arrival_seconds=0.0, generator=np.random.default_rng(0))
    assert (made.prompt_tokens, made.output_tokens) == (length.prompt_tokens, length.output_tokens)
    assert max(made.chunk_tokens) <= length.chunk_tokens
    assert len(set(made.chunk_tokens[:-1])) <= 1


@given(LENGTHS, st.sampled_from([TEXT, ANSWERED]))
def test_every_token_visits_top_k_different_experts_in_every_layer(length, text):
    made = text.request("r", length, arrival_seconds=0.0, generator=np.random.default_rng(0))
    tokens = np.array(made.chunk_tokens)[:, None]
    assert (made.chunk_rows.sum(axis=2) == tokens * SHAPE.top_k).all()
    assert (made.chunk_rows <= tokens[..., None]).all()
    assert made.answer_picks.shape == (made.steps, SHAPE.layers, SHAPE.top_k)
    assert (np.diff(np.sort(made.answer_picks.astype(int), axis=-1), axis=-1) > 0).all()
    assert made.answer_counts.sum() == made.steps * SHAPE.picks


def test_the_same_seed_draws_the_same_request_and_another_one_another():
    one, same, other = drawn(seed=3), drawn(seed=3), drawn(seed=4)
    assert (one.chunk_rows == same.chunk_rows).all()
    assert (one.answer_picks == same.answer_picks).all()
    assert (one.chunk_rows != other.chunk_rows).any()
    assert (one.answer_picks != other.answer_picks).any()


def test_a_prompt_that_is_cut_has_its_first_tokens():
    assert (drawn(prompt=25).prompt_counts == counted(TEXT.prompt[:25], SHAPE)).all()


def test_a_recorded_answer_is_replayed_in_order():
    assert (drawn(ANSWERED, output=16).answer_picks == ANSWERED.answer[:15]).all()


def test_an_answer_that_was_not_recorded_is_made_of_the_prompts_tokens():
    own = {row.tobytes() for row in TEXT.prompt.astype(np.uint16)}
    assert {row.tobytes() for row in drawn(output=80).answer_picks} <= own


def test_a_long_prompt_spreads_as_its_text_does():
    made = distribution(drawn(prompt=20_000, chunk=2048).prompt_counts.astype(float))
    text = distribution(counted(TEXT.prompt, SHAPE).astype(float))
    assert np.abs(made - text).max() < 0.01


def test_tokens_that_begin_a_text_come_once():
    indices = lengthened(10, 500, np.random.default_rng(0), head=2)
    assert indices[:10].tolist() == list(range(10))
    assert indices[10:].min() == 2


def test_what_is_drawn_comes_in_runs_of_neighbors():
    indices = continued(100, 400, np.random.default_rng(0), run=16)
    follows = np.diff(indices) % 100 == 1
    assert follows.mean() > 0.9
    assert len(np.unique(indices)) > 60


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"prompt": 0}, "prompt_tokens must be >= 1, got 0"),
        ({"output": 0}, "output_tokens must be >= 1, got 0"),
        ({"chunk": 70_000}, "chunk_tokens must be <= 65535, got 70000"),
    ],
)
def test_lengths_that_cannot_be_are_refused(knobs, message):
    with pytest.raises(ValueError, match=message):
        drawn(**knobs)


def test_a_text_of_nothing_but_its_beginning_cannot_be_lengthened():
    short = RecordedText(shape=SHAPE, prompt=TEXT.prompt[:1], answer=TEXT.answer, head=1)
    with pytest.raises(ValueError, match=r"own must be > head \(1\) to be repeated, got 1"):
        drawn(short, prompt=2)


def test_runs_have_a_length():
    with pytest.raises(ValueError, match="run must be >= 1, got 0"):
        continued(5, 5, np.random.default_rng(0), run=0)
