"""Forecasts stand on the side that may be learned from, and on nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from builders.recorded_traces import trace
from builders.routed_texts import SHAPE, counted
from evaluation.foretold import Belief, after_prefill, foretold, word_vectors
from evaluation.requested import requests_of
from evaluation.traces import resized, sides

from remoe_planner.forecasting.divergences import layer_divergences
from remoe_planner.forecasting.outlook import Basis, Outlook, distribution
from remoe_planner.forecasting.shape import RoutingShape

pytestmark = pytest.mark.slow

TRACE = trace(96)
SIDES = sides(TRACE, 0)


@pytest.fixture(scope="module")
def ours():
    return foretold(TRACE, SIDES)


def requests(forecast, made=TRACE, both=SIDES, count=20):
    return list(
        requests_of(
            made,
            both.test,
            prompt_tokens=200,
            output_tokens=100,
            arrivals=np.arange(count),
            forecast=forecast,
        )
    )


def off(forecast, **more):
    """Divergence of forecasts to what the requests did."""
    said = requests(forecast, **more)
    pairs = [(r.prompt_forecast, distribution(r.prompt_counts.astype(float))) for r in said]
    return np.mean([layer_divergences(told, true) for told, true in pairs])


def test_a_forecast_is_better_the_more_it_knows(ours):
    found = [off(ours), *(off(foretold(TRACE, SIDES, b)) for b in (Belief.MEAN, Belief.UNIFORM))]
    assert found == sorted(found)
    assert found[0] < 0.8 * found[1]


def test_the_oracle_is_told_what_the_request_will_do():
    made = requests(foretold(TRACE, SIDES, "oracle"))[0]
    assert made.prompt_forecast == pytest.approx(distribution(made.prompt_counts.astype(float)))
    assert made.answer_forecast == pytest.approx(distribution(made.answer_counts.astype(float)))


def test_the_mean_is_that_of_the_tokens_learned_from():
    made = foretold(TRACE, SIDES, "mean").prompt(int(SIDES.test[0]))
    total = sum(counted(TRACE.records[row].prompt, SHAPE) for row in SIDES.train)
    assert made == pytest.approx(distribution(total.astype(float)))


def test_no_forecast_changes_with_the_routing_of_texts_that_are_served(ours):
    other = trace(96)
    for row in SIDES.test:
        other.records[row].prompt[:] = (other.records[row].prompt + 5) % SHAPE.experts
    again = foretold(other, SIDES)
    for row in SIDES.test.tolist():
        assert (again.prompt(row) == ours.prompt(row)).all()


def test_forecasts_sum_to_one_in_every_layer(ours):
    for made in requests(ours, count=5):
        assert made.prompt_forecast.sum(axis=1) == pytest.approx(1.0)
        assert made.answer_forecast.sum(axis=1) == pytest.approx(1.0)


def test_a_forecast_changes_no_tokens_routing(ours):
    for told, plain in zip(requests(ours), requests(None), strict=True):
        assert (told.chunk_rows == plain.chunk_rows).all()
        assert (told.answer_picks == plain.answer_picks).all()


def test_a_row_that_is_learned_from_is_not_foretold(ours):
    with pytest.raises(KeyError):
        ours.prompt(int(SIDES.train[0]))


def test_answers_that_were_recorded_have_a_forecast_of_their_own():
    made = trace(80, answer_tokens=40)
    both = sides(made, 0)
    forecast, row = foretold(made, both), int(both.test[0])
    assert (forecast.prompt(row) != forecast.answer(row)).any()


def test_a_model_that_nobody_recorded_is_foretold_by_vectors():
    made = resized(TRACE, RoutingShape(layers=4, experts=24, top_k=4), name="other")
    assert off(foretold(made, SIDES), made=made) < off(foretold(made, SIDES, "mean"), made=made)


def test_what_is_kept_is_what_was_fitted(tmp_path):
    made = trace(40)
    both, vectors = sides(made, 0), word_vectors(made.texts)
    fitted = foretold(made, both, vectors=vectors, cache=tmp_path / "kept")
    files = list((tmp_path / "kept").iterdir())
    kept = foretold(made, both, vectors=vectors, cache=tmp_path / "kept")
    row = int(both.test[0])
    assert (fitted.prompt(row) == kept.prompt(row)).all()
    assert list((tmp_path / "kept").iterdir()) == files
    foretold(made, sides(made, 1), vectors=vectors, cache=tmp_path / "kept")
    assert len(list((tmp_path / "kept").iterdir())) == 2 * len(files)


def test_counts_of_a_prompt_tell_of_its_answer_what_its_words_do_not():
    made = replace(trace(80, answer_tokens=40), texts=[f"{n}" for n in range(80)])
    both = sides(made, 0)
    fitted = after_prefill(made, both, prompt_tokens=100, output_tokens=100)
    before = after = 0.0
    for request in requests(foretold(made, both), made=made, both=both):
        told = Outlook(frequencies=request.answer_forecast, basis=Basis.VECTOR)
        updated = fitted.update(told, request.prompt_counts.astype(float)).frequencies
        actual = distribution(request.answer_counts.astype(float))
        before += layer_divergences(request.answer_forecast, actual).sum()
        after += layer_divergences(updated, actual).sum()
    assert after < 0.8 * before


def test_what_prompts_are_worth_is_learned_from_the_train_side_alone():
    made, other = trace(40, answer_tokens=30), trace(40, answer_tokens=30)
    both = sides(made, 0)
    for row in both.test:
        other.records[row].answer[:] = (other.records[row].answer + 5) % SHAPE.experts
    one, same = (after_prefill(t, both, prompt_tokens=50, output_tokens=50) for t in (made, other))
    assert (one.strengths == same.strengths).all()
