"""GET /usage: what was recorded of late, for who makes plans."""

import json

import numpy as np
import pytest
from gateway.several import in_cluster, shared
from gateway.test_forecast import checkpoint_directory, remember  # noqa: F401
from gateway.test_watching_the_plan import history

from remoe_functions.gateway.recorded_usage import LATEST, SAMPLES, RecordedUsage
from remoe_planner.activation_history import ActivationHistory

EMPTY = ActivationHistory.empty((2, 4), 8)


async def test_use_is_told_by_model_as_sums_and_samples(
    tmp_path,
    checkpoint_directory,  # noqa: F811
):
    for expert in (0, 0, 1):
        remember(tmp_path / "a", checkpoint_directory, [10], expert)
    a = in_cluster("a", checkpoint_directory, history=tmp_path / "a")
    b = in_cluster("b", checkpoint_directory, history=tmp_path / "b")
    async with shared(a, b) as w:
        await w.until(lambda: w.entries["a"].service.usage.requests == 3)
        used = (await w.get("/usage", params={"model": "a"})).json()
        unused = (await w.get("/usage", params={"model": "b"})).json()
    assert used["prefill"] == [[200, 100, 0, 0]] * 2
    assert used["decode"] == [[200, 100, 0, 0]] * 2
    assert used["samples"][-1] == [[0, 200, 0, 0]] * 2
    assert used["sample_tokens"] == [100, 100, 100]
    assert (used["prompt_tokens_mean"], used["max_prompt_tokens"]) == (100, 100)
    assert (used["output_tokens_mean"], used["max_output_tokens"]) == (0, 0)
    assert used["replan_saving_per_hour"] == 0
    assert set(unused) == set(used)
    assert (unused["requests"], unused["prefill"]) == (0, [[0] * 4] * 2)


async def test_use_needs_no_key_but_the_name_of_a_model(model_directory):
    models = [in_cluster(name, model_directory) for name in ("a", "b")]
    async with shared(*models, keys={"alice": "sk"}) as w:
        answers = [await w.get(f"/usage{query}") for query in ("", "?model=x", "?model=a")]
    assert [answer.status_code for answer in answers] == [400, 404, 200]


def test_prompt_that_came_often_counts_as_often_and_is_one_sample():
    once, thrice = RecordedUsage.of(history([0.25] * 4)), history([0.25] * 4, times=3)
    often = RecordedUsage.of(thrice)
    assert (once.requests, often.requests) == (200, 600)
    assert np.array_equal(once.prefill, often.prefill)
    assert often.prompt_tokens_mean == pytest.approx(100 / 3)
    assert often.max_prompt_tokens == round(100 / 3)
    assert np.allclose(often.samples, once.samples / 3, atol=0.5)


def test_use_of_late_is_bounded():
    told = RecordedUsage.of(history(*[[0.25] * 4] * 6))
    assert told.requests == LATEST
    assert told.samples.shape == (SAMPLES, 2, 4)
    assert len(json.dumps(told.to_dict())) < 20_000


def test_no_use_is_told_as_zeros():
    told = RecordedUsage.of(EMPTY).to_dict()
    assert told == RecordedUsage.nothing((2, 4)).to_dict()
    assert (told["requests"], told["samples"], told["prompt_tokens_mean"]) == (0, [], 0.0)
