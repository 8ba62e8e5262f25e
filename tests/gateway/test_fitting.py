"""A fit happens in a process of its own; whatever becomes of that, the learner goes on."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from gateway.learning import experts_of, learner, prompts

from remoe_functions.gateway.fit_process import packed_job
from remoe_functions.gateway.fitting import FitFailed, FitSchedule, Fitter, fit_apart


def job_of(made):
    return packed_job(made.shape, made.words, made.key_salt, made.prompts_to_fit())


async def test_fit_makes_a_forecast_that_knows_how_far_it_may_be_off():
    made = learner(30)
    assert made.forecast(prompts(1)[0]).trust is None
    await Fitter(made).fit()
    assert made.fitted_on == 30
    assert made.unfitted == 0
    assert made.forecast(prompts(1)[0]).trust.expected_divergence > 0


async def test_what_is_learned_during_a_fit_counts_as_new():
    made = learner(20)
    fitting = asyncio.create_task(Fitter(made).fit())
    await asyncio.sleep(0.1)
    for tokens in prompts(5, seed=9):
        made.learn(tokens, experts_of(tokens))
    await fitting
    assert (made.learned, made.fitted_on, made.unfitted) == (25, 20, 5)


async def test_killed_fit_is_told_and_leaves_the_learner_as_it_was():
    made = learner(20)
    kill = lambda pid: os.kill(pid, signal.SIGKILL)  # noqa: E731
    with pytest.raises(FitFailed, match="ended with -9"):
        await fit_apart(job_of(made), timeout_seconds=60, started=kill)
    assert made.forecast(prompts(1)[0]) is not None


async def test_fit_that_takes_too_long_is_ended():
    pids = []
    with pytest.raises(FitFailed, match=r"longer than 0\.05 s"):
        await fit_apart(job_of(learner(20)), timeout_seconds=0.05, started=pids.append)
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


async def test_fit_of_an_ended_gateway_ends_with_it():
    pids = []
    fit = asyncio.create_task(
        fit_apart(job_of(learner(20)), timeout_seconds=60, started=pids.append)
    )
    while not pids:
        await asyncio.sleep(0.01)
    fit.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fit
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


async def test_fit_that_gets_nonsense_says_why():
    with pytest.raises(FitFailed, match="ended with 1: "):
        await fit_apart(b"nonsense", timeout_seconds=60)


@pytest.mark.parametrize(
    ("recent", "new", "fitted_on", "worth"),
    [
        (15, 15, 0, False),
        (16, 16, 0, True),
        (400, 39, 400, False),
        (400, 40, 400, True),
        (100, 100, 400, False),
        (200, 200, 400, True),
    ],
)
def test_fit_is_worth_its_time_when_enough_is_new_and_not_much_is_lost(
    recent, new, fitted_on, worth
):
    class Counts:
        pass

    counts = Counts()
    counts.recent, counts.unfitted, counts.fitted_on = recent, new, fitted_on
    assert FitSchedule().is_worth(counts) is worth


async def test_fits_rest_while_requests_come_and_not_when_it_is_quiet():
    fitter = Fitter(learner(20), FitSchedule(least_prompts=1, grown=0.0, rest=1e6))
    await fitter.fit()
    tokens = prompts(1, seed=5)[0]
    fitter._learner.learn(tokens, experts_of(tokens))
    assert not fitter.is_due(quiet_seconds=0.0)
    assert fitter.is_due(quiet_seconds=10.0)


async def test_fit_that_failed_is_not_tried_again_at_once():
    made = learner(20)
    fitter = Fitter(made, FitSchedule(timeout_seconds=0.01))
    assert fitter.is_due(quiet_seconds=10.0)
    with pytest.raises(FitFailed):
        await fitter.fit()
    assert not fitter.is_due(quiet_seconds=10.0)
    assert (made.fitted_on, made.unfitted) == (0, 20)
