"""Requests come in order, of the side they are asked of, and each independent of the others."""

import numpy as np
from builders.recorded_traces import trace
from builders.routed_texts import counted
from evaluation.azure import steady
from evaluation.foretold import Belief, Forecast
from evaluation.requested import recorded, requests_in, requests_of, suited
from evaluation.traces import sides

TRACE = trace(24)
SIDES = sides(TRACE, 0)


def asked(count=6, *, seed=0, prompt_tokens=50, output_tokens=7, **more):
    return list(
        requests_of(
            TRACE,
            SIDES.test,
            prompt_tokens=prompt_tokens,
            output_tokens=output_tokens,
            arrivals=10.0 * np.arange(count),
            seed=seed,
            **more,
        )
    )


def equal(one, other):
    return (
        one.name == other.name
        and (one.chunk_rows == other.chunk_rows).all()
        and (one.answer_picks == other.answer_picks).all()
    )


def all_equal(some, others):
    return all(equal(one, other) for one, other in zip(some, others, strict=True))


def test_the_same_seed_gives_the_same_requests_twice():
    assert all_equal(asked(), asked())
    assert not all_equal(asked(), asked(seed=1))


def test_a_request_is_the_same_whatever_comes_after_it():
    assert all_equal(asked(3), asked(6)[:3])


def test_each_request_has_its_own_length_name_and_time():
    made = asked(3, prompt_tokens=[5, 60, 200], output_tokens=[1, 2, 9], chunk_tokens=64)
    assert [r.prompt_tokens for r in made] == [5, 60, 200]
    assert [r.output_tokens for r in made] == [1, 2, 9]
    assert [r.chunk_tokens for r in made] == [(5,), (60,), (64, 64, 64, 8)]
    assert [r.arrival_seconds for r in made] == [0, 10, 20]
    assert len({r.name for r in made}) == 3


def test_only_texts_of_the_side_asked_for_are_drawn_from():
    rows = []

    def seen(row):
        rows.append(row)
        return np.full(TRACE.shape.table, 1 / TRACE.shape.experts)

    asked(60, forecast=Forecast(belief=Belief.OURS, prompt=seen, answer=seen))
    assert set(rows) <= set(SIDES.test.tolist())
    assert len(set(rows)) > 5


def test_requests_of_arrivals_are_those_of_their_lengths_and_times():
    arrivals = steady(3, prompt_tokens=50, output_tokens=7, seconds_apart=10)
    assert all_equal(requests_in(TRACE, SIDES.test, arrivals), asked(3))


def test_a_long_request_is_drawn_from_long_texts():
    own = np.stack([np.arange(1, 201), np.full(200, 50)], axis=1)
    assert suited(own, (40, 5)).tolist() == list(range(9, 200))
    assert suited(own, (10_000, 5)).tolist() == list(range(175, 200))
    assert suited(own, (1, 0)).tolist() == list(range(200))


def test_a_long_answer_is_drawn_from_a_text_with_a_long_answer():
    own = np.stack([np.full(200, 50), np.arange(1, 201)], axis=1)
    assert suited(own, (5, 40)).tolist() == list(range(9, 200))


def test_answers_that_nobody_recorded_hinder_nothing():
    own = np.stack([np.full(30, 50), np.zeros(30, int)], axis=1)
    assert len(suited(own, (100, 500))) == 30


def test_few_texts_all_serve():
    assert suited(np.array([[8, 0], [3, 0]]), (5000, 9)).tolist() == [0, 1]


def test_the_history_of_requests_is_what_they_did():
    made = asked(4)
    history = recorded(made)
    assert (history.prefill[2] == made[2].prompt_counts).all()
    assert (history.decode[3] == made[3].answer_counts).all()
    assert history.prompt_tokens.tolist() == [50] * 4
    assert history.decode_tokens.tolist() == [6] * 4
    assert (counted(made[3].answer_picks, TRACE.shape) == history.decode[3]).all()
