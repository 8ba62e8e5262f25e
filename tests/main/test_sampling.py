"""The next token: odds, cuts, penalties, and noise that a resumed answer meets again."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from main.engine_world import answer_of

from remoe_functions.main.request import Sampling
from remoe_functions.main.sampling import noise, sample

LOGITS = np.array([0.0, 3.0, 1.0, 2.0, -1.0], dtype=np.float32)
NONE = Counter()


def test_temperature_zero_takes_the_likeliest():
    assert sample(LOGITS, Sampling(temperature=0), 0, NONE).token == 1


@given(seed=st.integers(0, 2**64 - 1), number=st.integers(0, 10**6))
def test_noise_depends_on_seed_and_number_alone(seed, number):
    assert noise(seed, number) == noise(seed, number)
    assert 0 <= noise(seed, number) < 1


def test_frequencies_follow_the_models_odds():
    wanted = np.exp(LOGITS) / np.exp(LOGITS).sum()
    drawn = Counter(sample(LOGITS, Sampling(seed=1), i, NONE).token for i in range(4000))
    found = np.array([drawn[token] / 4000 for token in range(5)])
    assert np.abs(found - wanted).max() < 0.03


@given(
    top_k=st.integers(1, 5) | st.none(),
    top_p=st.floats(0.01, 1.0),
    seed=st.integers(0, 10**6),
)
def test_cuts_keep_the_likeliest_only(top_k, top_p, seed):
    token = sample(LOGITS, Sampling(top_k=top_k, top_p=top_p, seed=seed), 0, NONE).token
    order = [1, 3, 2, 0, 4][: top_k or 5]
    odds = np.exp(LOGITS[order].astype(np.float64))
    before = np.cumsum(odds) - odds
    kept = [t for t, reached in zip(order, before, strict=True) if reached < top_p * odds.sum()]
    assert token in (kept or order[:1])


def test_penalties_count_what_was_generated():
    greedy = {"temperature": 0.0}
    counts = Counter({1: 2})
    assert sample(LOGITS, Sampling(frequency_penalty=0.4, **greedy), 0, counts).token == 1
    assert sample(LOGITS, Sampling(frequency_penalty=0.6, **greedy), 0, counts).token == 3
    assert sample(LOGITS, Sampling(presence_penalty=1.1, **greedy), 0, counts).token == 3


def test_logprobs_are_the_models_own():
    token = sample(LOGITS, Sampling(temperature=0, logprobs=2, presence_penalty=2.0), 0, NONE)
    expected = LOGITS - np.log(np.exp(LOGITS).sum())
    assert token.logprob == pytest.approx(expected[1], abs=1e-6)
    assert [each for each, _ in token.top] == [1, 3]


def test_resumed_answer_goes_on_with_the_same_tokens(checkpoint_of, open_world):
    service = open_world(checkpoint_of("mixtral")).service
    fields = {"sampling": Sampling(temperature=0.9, seed=77, frequency_penalty=0.5)}
    whole = answer_of(service, (5, 7, 11), 16, **fields)
    rest = answer_of(service, (5, 7, 11), 16, generated=tuple(whole[:9]), **fields)
    assert rest == whole[9:]


def test_seed_reproduces_beside_other_requests(checkpoint_of, open_world):
    from main.engine_world import ask

    service = open_world(checkpoint_of("mixtral")).service
    alone = answer_of(service, (5, 7, 11), 12, sampling=Sampling(seed=3))
    asked = [ask(service, (9, 8), 12, sampling=Sampling(seed=s)) for s in range(3)]
    beside = answer_of(service, (5, 7, 11), 12, sampling=Sampling(seed=3))
    for each in asked:
        each.end()
    assert beside == alone
    assert len({tuple(each.tokens) for each in asked}) == 3
