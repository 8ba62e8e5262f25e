"""The recorded history foretells by the prompt's vector; with less known it says so."""

from __future__ import annotations

import numpy as np
import pytest

from remoe_functions.gateway.past_requests import PastRequests
from remoe_functions.gateway.scoreboard import Scoreboard
from remoe_planner.activation_history import ActivationHistory
from remoe_planner.divergence import jensen_shannon
from remoe_planner.forecasting.outlook import Basis, distribution
from remoe_planner.forecasting.routed_prompt import Query
from remoe_planner.forecasting.shape import RoutingShape

SHAPE = RoutingShape(layers=2, experts=8, top_k=2)
WIDTH, TOPICS, TOKENS = 16, 4, 200
_WORLD = np.random.default_rng(7)
DIRECTIONS = _WORLD.normal(size=(TOPICS, WIDTH))
PROMPT_USE = _WORLD.dirichlet(np.full(8, 0.4), (TOPICS, SHAPE.layers))
ANSWER_USE = _WORLD.dirichlet(np.full(8, 0.4), (TOPICS, SHAPE.layers))


def requests(count, *, seed=0, vectors=True, answers=True):
    """Each a mixture of topics, which its vector tells; and the shares that it was drawn from."""
    rng = np.random.default_rng(seed)
    mixtures = rng.dirichlet(np.full(TOPICS, 0.5), count)
    shares = [np.einsum("nt,tle->nle", mixtures, use) for use in (PROMPT_USE, ANSWER_USE)]
    prefill, decode = (rng.poisson(TOKENS * 2 * s).astype(np.uint32) for s in shares)
    history = ActivationHistory(
        vectors=(vectors * TOKENS * mixtures @ DIRECTIONS).astype(np.float32),
        prefill=prefill,
        decode=decode * np.uint32(answers),
        prompt_tokens=np.full(count, TOKENS, np.uint32),
        decode_tokens=np.full(count, TOKENS * answers, np.uint32),
    )
    return history, shares


def past(count, **options):
    return PastRequests(requests(count, **options)[0], SHAPE, 15)


def queries(history):
    return [Query(tokens=np.zeros(TOKENS, np.int64), vector=v) for v in history.vectors]


def off(outlooks, shares):
    return np.mean(
        [jensen_shannon(o.frequencies, s) for o, s in zip(outlooks, shares, strict=True)]
    )


@pytest.mark.parametrize("phase", [0, 1])
def test_vectors_tell_prompts_and_answers_better_than_the_mean_does(phase):
    made, (new, shares) = past(200), requests(40, seed=1)
    ask = (made.prompt, made.answer)[phase]
    told = [ask(query) for query in queries(new)]
    assert {outlook.basis for outlook in told} == {Basis.VECTOR}
    mean = [ask(Query(tokens=np.zeros(TOKENS, np.int64)))] * 40
    assert off(told, shares[phase]) < 0.3 * off(mean, shares[phase])


def test_forecast_by_vector_knows_how_far_it_may_be_off():
    made, (new, _) = past(200), requests(40, seed=1)
    told = [made.prompt(query) for query in queries(new)]
    expected = np.mean([outlook.trust.expected_divergence for outlook in told])
    found = off(told, [distribution(c.astype(float)) for c in new.prefill])
    assert found / 3 < expected < found * 3


@pytest.mark.parametrize(
    ("count", "options", "vector", "prompt", "answer"),
    [
        (20, {}, True, Basis.SIMILAR_PROMPTS, Basis.SIMILAR_PROMPTS),
        (200, {}, False, Basis.MEAN, Basis.MEAN),
        (200, {"vectors": False}, True, Basis.MEAN, Basis.MEAN),
        (200, {"answers": False}, True, Basis.VECTOR, Basis.UNIFORM),
        (0, {}, True, Basis.UNIFORM, Basis.UNIFORM),
    ],
)
def test_with_less_known_a_forecast_rests_on_less_and_says_so(
    count, options, vector, prompt, answer
):
    made = past(count, **options)
    found = DIRECTIONS[0].astype(np.float32) if vector else None
    query = Query(tokens=np.zeros(TOKENS, np.int64), vector=found)
    assert (made.prompt(query).basis, made.answer(query).basis) == (prompt, answer)
    assert np.allclose(made.prompt(query).frequencies.sum(axis=-1), 1)


def test_long_history_is_fitted_on_its_latest_requests_alone(monkeypatch):
    monkeypatch.setattr("remoe_functions.gateway.past_requests.FITTED_REQUESTS", 50)
    made = past(200)
    (query, *_) = queries(requests(1, seed=1)[0])
    assert made.requests == 200
    assert made.prompt(query).evidence == 50


def test_prompt_that_came_often_is_as_long_as_it_is():
    history, _ = requests(100)
    times = np.full(100, 7, np.uint32)
    often = ActivationHistory(
        vectors=history.vectors,
        prefill=history.prefill * 7,
        decode=history.decode * 7,
        prompt_tokens=history.prompt_tokens * 7,
        decode_tokens=history.decode_tokens * 7,
        times=times,
    )
    (query, *_) = queries(requests(1, seed=1)[0])
    once, seven = PastRequests(history, SHAPE, 15), PastRequests(often, SHAPE, 15)
    assert np.allclose(once.prompt(query).frequencies, seven.prompt(query).frequencies)
    assert once.prompt(query).trust == seven.prompt(query).trust
    assert np.allclose(once.after_prefill.strengths, seven.after_prefill.strengths)


def test_numbers_of_bases_on_disk_are_those_of_earlier_versions():
    rows = np.array([[1.0, number, 5, 1, 0.1, 0.1, 0.2, 0.2] for number in range(7)])
    restored = Scoreboard.restored({"scores": rows})
    assert [score.basis for score in restored.latest(7)] == [
        Basis.PROMPT,
        Basis.CONTEXT,
        Basis.SIMILAR_PROMPTS,
        Basis.MEAN,
        Basis.UNIFORM,
        Basis.VECTOR,
        Basis.JOINT,
    ]
    assert set(Basis) == {score.basis for score in restored.latest(7)}
