"""What tokens tell and what the vector tells are mixed, and by how much is learned and kept."""

from __future__ import annotations

import numpy as np
import pytest
from gateway.conftest import plan
from gateway.learning import counts_of, experts_of, learner, prompts, told_of

from remoe_functions.gateway.fit_process import fitted, packed_job, unpacked
from remoe_functions.gateway.forecasting import FunctionForecast
from remoe_functions.gateway.reported_routing import PrefillReport
from remoe_planner.activation_history import ActivationHistory
from remoe_planner.forecasting.joint_share import JointShare
from remoe_planner.forecasting.outlook import Basis, distribution
from remoe_planner.prompt_vector import prompt_vector

TABLE = np.random.default_rng(3).normal(size=(320, 8)).astype(np.float32)


def history(asked):
    counts = np.stack([counts_of(experts_of(tokens)) for tokens in asked])
    return ActivationHistory(
        vectors=np.stack([prompt_vector(TABLE, tokens) for tokens in asked]),
        prefill=counts,
        decode=counts,
        prompt_tokens=np.array([len(tokens) for tokens in asked], np.uint32),
        decode_tokens=np.array([len(tokens) for tokens in asked], np.uint32),
    )


def fit(made):
    job = packed_job(made.shape, made.words, made.key_salt, made.prompts_to_fit())
    made.adopt(unpacked(fitted(job)), prompts=made.recent, learned=made.learned)
    return made


def forecast(*, learned=40, recorded=100):
    made = FunctionForecast(plan(), TABLE)
    made.learner = fit(learner(learned)) if learned else None
    if recorded:
        made.take_history(history(prompts(recorded, seed=5)))
    return made


def report(tokens, as_if=None):
    experts = experts_of(as_if or tokens)
    return PrefillReport(counts=counts_of(experts).astype(np.float64), experts=experts)


KNOWN, UNKNOWN = prompts(1)[0], tuple(range(200, 212))


@pytest.mark.parametrize(
    ("learned", "recorded", "prompt", "basis"),
    [
        (40, 100, KNOWN, Basis.JOINT),
        (40, 100, UNKNOWN, Basis.VECTOR),
        (0, 100, KNOWN, Basis.VECTOR),
        (40, 10, KNOWN, Basis.CONTEXT),
        (40, 10, UNKNOWN, Basis.SIMILAR_PROMPTS),
        (40, 0, KNOWN, Basis.CONTEXT),
        (0, 0, KNOWN, Basis.UNIFORM),
    ],
)
def test_forecast_rests_on_all_that_is_known_and_says_so(learned, recorded, prompt, basis):
    told = forecast(learned=learned, recorded=recorded).foretell(prompt, 16)
    assert told.outlook.basis is basis
    assert np.allclose(told.outlook.frequencies.sum(axis=-1), 1)


def test_tokens_that_were_not_fitted_yet_do_not_spoil_what_the_vector_tells():
    made = forecast()
    made.learner = learner(40)
    assert made.foretell(KNOWN, 16).outlook.basis is Basis.VECTOR


@pytest.mark.parametrize(("right", "least", "most"), [("tokens", 0.0, 0.1), ("vector", 0.9, 1.0)])
def test_whoever_is_right_says_more(right, least, most):
    made, told = forecast(), None
    before = made.joint.share
    for tokens in prompts(40, seed=9):
        told = made.foretell(tokens, 16)
        query = made._query(tokens)
        spread = (told.learned if right == "tokens" else made.past.prompt(query)).frequencies
        counts = np.rint(1e4 * spread)
        made.score(told, PrefillReport(counts=counts, experts=experts_of(tokens)))
    assert least <= made.joint.share <= most
    assert made.joint.share != before
    assert told.outlook.trust.expected_divergence < 1


def test_what_was_learned_of_both_survives_its_arrays():
    made = forecast()
    for tokens in prompts(10, seed=9):
        made.score(made.foretell(tokens, 16), report(tokens))
    again = JointShare()
    again.restore(made.joint.arrays())
    context, vector = made.learner.forecast(KNOWN), made.past.prompt(made._query(KNOWN))
    one, two = made.joint.mixed(context, vector), again.mixed(context, vector)
    assert np.array_equal(one.frequencies, two.frequencies)
    assert one.trust == two.trust
    assert not np.array_equal(one.frequencies, distribution(context.frequencies))


@pytest.mark.parametrize(
    "change",
    [
        {"losses": np.zeros(3)},
        {"losses": np.full(11, np.nan)},
        {"trusted": np.zeros(2)},
        {"trusted": np.ones(3)},
    ],
)
def test_state_that_makes_no_sense_is_refused(change):
    with pytest.raises(ValueError, match="losses and trusted must be"):
        JointShare().restore({**JointShare().arrays(), **change})


async def test_share_outlives_a_restart(world, tmp_path):
    async with world(model={"history": tmp_path}) as w:
        forecasting = w.service.forecasting
        await w.until(lambda: forecasting.forecast.learner is not None)
        w.main.routing = told_of
        made = forecast()
        for tokens in prompts(40, seed=9):
            told = made.foretell(tokens, 16)
            counts = np.rint(1e4 * told.learned.frequencies)
            made.score(told, PrefillReport(counts=counts, experts=experts_of(tokens)))
        forecasting.forecast.joint = made.joint
        body = {"model": "tiny", "prompt": [10, 11], "max_tokens": 2}
        await w.post("/v1/completions", body)
        await w.until(lambda: forecasting.forecast.learner.learned == 1)
    async with world(model={"history": tmp_path}) as w:
        forecasting = w.service.forecasting
        await w.until(lambda: forecasting.forecast.learner is not None)
        assert forecasting.forecast.joint.share == made.joint.share != JointShare().share
