"""Main's reports teach the gateway; a report that cannot be used costs nothing but itself."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from gateway.learning import always, prompts, report, told_of
from gateway.learning import experts_of as told_experts

from remoe_functions.gateway.forecaster_state import state_path


async def ask(w, tokens):
    body = {"model": "tiny", "prompt": tokens, "max_tokens": 2}
    return (await w.post("/v1/completions", body)).json()["usage"]["remoe"]


def forecasting_of(w):
    return w.service.forecasting


async def ready(w, routing=told_of):
    await w.until(lambda: forecasting_of(w).forecast.learner is not None)
    w.main.routing = routing


async def learned(w, count):
    await w.until(lambda: forecasting_of(w).forecast.learner.learned == count)


async def test_tokens_seen_before_are_foretold_and_the_answer_says_so(world, tmp_path):
    async with world(model={"history": tmp_path}) as w:
        await ready(w)
        first = await ask(w, [10, 11, 12, 13])
        await learned(w, 1)
        second = await ask(w, [11, 12, 13])
        assert await w.metric("remoe:forecasts_total", basis="tokens in context") == 1
        assert await w.metric("remoe:forecast_divergence_count", basis="tokens in context") == 1
        assert await w.metric("remoe:forecast_divergence_count", basis="uniform") == 1
    assert first["forecast"]["basis"] == "uniform"
    assert second["forecast"]["basis"] == "tokens in context"
    assert second["forecast"]["known_tokens"] == 1.0
    assert second["forecast"]["answer_basis"] == "true counts of the prompt"
    assert 0 < second["forecast"]["divergence"] < 0.2


async def test_same_prompt_again_is_learned_once(world, tmp_path):
    async with world(model={"history": tmp_path}) as w:
        await ready(w)
        for tokens in ([10, 11], [10, 11], [12, 13], [10, 11]):
            await ask(w, tokens)
        await learned(w, 2)


async def test_true_counts_of_the_prompt_tell_what_the_answer_needs(world, tmp_path):
    async with world(model={"history": tmp_path}) as w:
        await ready(w, always(1))
        own = await ask(w, [10] * 200)
    assert own["functions_forecast"] == ["f1"]
    assert own["forecast"]["answer_basis"] == "true counts of the prompt"


@pytest.mark.parametrize(
    "body",
    [
        None,
        {"counts": 1, "experts": []},
        {"counts": report([1])["counts"]},
        report([1]) | {"experts": {"shape": [9, 9, 9], "dtype": "|u1", "data": "AA=="}},
        report([1]) | {"experts": {"shape": [1, 2, 1], "dtype": "|O", "data": "AAAA"}},
        report([1]) | {"experts": {"shape": [1, 2, 1], "dtype": "|u1", "data": "/////w=="}},
        report([1]) | {"experts": {"shape": [2, 1], "dtype": "|u1", "data": "AAA="}},
    ],
)
async def test_report_that_makes_no_sense_teaches_nothing_and_does_not_show(world, tmp_path, body):
    async with world(model={"history": tmp_path}) as w:
        await ready(w, lambda _: body)
        assert (await ask(w, [10, 11]))["cost"] > 0
        w.main.routing = told_of
        await ask(w, [12, 13])
        await learned(w, 1)


async def test_experts_that_the_model_lacks_are_not_learned(world, tmp_path):
    beyond = {"shape": [2, 2, 1], "dtype": "|u1", "data": "CQkJCQ=="}
    async with world(model={"history": tmp_path}) as w:
        await ready(w, lambda job: told_of(job) | {"experts": beyond})
        await ask(w, [10, 11])
        w.main.routing = told_of
        await ask(w, [12, 13])
        await learned(w, 1)


async def test_answer_carried_over_teaches_its_prompt_once(world, tmp_path):
    async with world(model={"history": tmp_path}) as w:
        await ready(w)
        w.main.die_after = [1]
        await ask(w, [10, 11])
        await learned(w, 1)
        assert len(w.main.jobs) == 2


async def test_choices_of_one_prompt_teach_it_once(world, tmp_path):
    async with world(model={"history": tmp_path}) as w:
        await ready(w)
        body = {"model": "tiny", "prompt": [10, 11], "max_tokens": 2, "n": 3}
        await w.post("/v1/completions", body)
        await learned(w, 1)
        assert await w.metric("remoe:forecasts_total", basis="uniform") == 1


async def test_gateway_that_is_not_to_learn_forecasts_and_keeps_nothing(world, tmp_path):
    async with world(model={"history": tmp_path}, forecast={"learn": False}) as w:
        await ready(w)
        told = (await ask(w, [10, 11]))["forecast"]
        assert forecasting_of(w).forecast.learner.learned == 0
    assert told["answer_basis"] == "true counts of the prompt"
    assert not list(tmp_path.glob("*.forecaster"))


async def test_gateway_that_is_not_to_forecast_asks_for_no_routing(world, tmp_path):
    async with world(model={"history": tmp_path}, forecast={"enabled": False}) as w:
        w.main.routing = told_of
        assert (await ask(w, [10, 11]))["forecast"] is None
        assert not w.main.jobs[0]["report_routing"]


async def test_what_was_learned_outlives_a_restart(world, tmp_path):
    async with world(model={"history": tmp_path}) as w:
        await ready(w)
        for tokens in prompts(8):
            await ask(w, tokens)
        await learned(w, 8)
    async with world(model={"history": tmp_path}) as w:
        await ready(w)
        assert forecasting_of(w).forecast.learner.learned == 8
        assert len(forecasting_of(w).forecast.board) == 8
        assert (await ask(w, prompts(1)[0]))["forecast"]["basis"] == "tokens in context"


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied", "other revision"])
async def test_state_that_cannot_be_used_costs_nothing_but_learning_anew(world, tmp_path, damage):
    async with world(model={"history": tmp_path}) as w:
        await ready(w)
        await ask(w, [10, 11, 12])
        await learned(w, 1)
    spoil(state_path(tmp_path, "r1"), damage)
    async with world(model={"history": tmp_path}) as w:
        await ready(w)
        assert (await ask(w, [10, 11, 12]))["forecast"]["basis"] == "uniform"
        await learned(w, 1)


def spoil(path, damage):
    data = bytearray(path.read_bytes())
    match damage:
        case "cut":
            del data[len(data) // 2 :]
        case "changed":
            data[len(data) // 2] ^= 1
        case "emptied":
            data.clear()
        case "other revision":
            path.rename(state_path(path.parent, "r2"))
            return
    path.write_bytes(data)


async def test_enough_prompts_are_fitted_in_the_background(world, tmp_path):
    async with world(model={"history": tmp_path}) as w:
        await ready(w)
        for tokens in prompts(20):
            await ask(w, tokens)
        learner = forecasting_of(w).forecast.learner
        await w.until(lambda: learner.fitted_on > 0, seconds=60)
        assert await w.metric("remoe:forecast_fits_total", outcome="ok") >= 1
        told = (await ask(w, prompts(1, seed=3)[0]))["forecast"]
    assert told["expected_divergence"] > 0
    assert np.isfinite(told["divergence"])


async def test_requests_are_served_while_a_fit_fails_and_learning_lags(
    world, tmp_path, monkeypatch
):
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    async with world(model={"history": tmp_path}) as w:
        await ready(w)
        forecasting_of(w)._queue = asyncio.Queue(1)
        for tokens in prompts(20):
            assert (await ask(w, tokens))["cost"] > 0
        learner = forecasting_of(w).forecast.learner
        for tokens in prompts(40, seed=4):
            learner.learn(tokens, told_experts(tokens))
        await w.until(lambda: failed_fits(w) >= 1)
        assert (await ask(w, [1, 2, 3]))["forecast"]["basis"] != "uniform"


def failed_fits(w):
    labels = {"model_name": "tiny", "outcome": "failed"}
    registry = w.gateway.services.metrics.registry
    return registry.get_sample_value("remoe:forecast_fits_total", labels) or 0


async def test_prompts_that_cannot_be_learned_in_time_are_counted(world, tmp_path):
    async with world(model={"history": tmp_path}) as w:
        await ready(w)
        forecasting = forecasting_of(w)
        for number in range(300):
            forecasting.learn((1, number), told_experts((1, number)))
        assert await w.metric("remoe:forecast_unlearned_total") == 300 - 256
        await learned(w, 256)
