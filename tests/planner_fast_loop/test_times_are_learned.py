"""What has no profile is learned from requests: phases told apart, and rates that fade."""

import numpy as np
import pytest
from planner_fast_loop.loop_world import architecture, function, plan

from remoe_planner.fast_loop.learned_times import Finished, LearnedTimes
from remoe_planner.fast_loop.situation import PassTimes
from remoe_planner.fast_loop.use_rates import UseRates
from remoe_planner.hardware.curve import Curve
from remoe_planner.hardware.expert_time import ExpertTime
from remoe_planner.hardware.profile import CallTime, HardwareProfile, StartTime
from remoe_planner.resident import plan_resident


def finished(prompt, answer, seconds, **changes):
    return Finished(prompt_tokens=prompt, answer_tokens=answer, main_seconds=seconds, **changes)


def test_before_the_first_request_the_stated_times_hold():
    stated = PassTimes(step_seconds=0.3)
    assert LearnedTimes(stated=stated).times == stated


def test_prompt_and_answer_tokens_are_told_apart():
    rng, learned = np.random.default_rng(0), LearnedTimes()
    for _ in range(200):
        prompt, answer = rng.integers(1, 500, 2).tolist()
        noise = rng.normal(1, 0.05)
        learned = learned.after(finished(prompt, answer, noise * (prompt * 0.002 + answer * 0.1)))
    assert learned.times.token_seconds == pytest.approx(0.002, rel=0.3)
    assert learned.times.step_seconds == pytest.approx(0.1, rel=0.1)


def test_functions_rows_are_learned_from_their_busy_seconds():
    learned = LearnedTimes().after(finished(1, 1, 1.0, rows=10, function_seconds=3.0))
    assert learned.times.remote_row_seconds == pytest.approx(0.3)


@pytest.mark.parametrize("request_", [finished(0, 0, 1.0), finished(5, 5, 0.0)])
def test_request_that_says_nothing_changes_nothing(request_):
    assert LearnedTimes().after(request_).times == PassTimes()


def test_profile_gives_the_times_without_learning():
    row = Curve(rows=(1.0, 2.0), seconds=(0.01, 0.02))
    profile = HardwareProfile(
        name="stated",
        source="a test",
        measured=False,
        module=Curve(rows=(1.0, 256.0), seconds=(0.1, 2.56)),
        step=Curve.constant(0.5),
        local_expert=ExpertTime.on_one_core(row),
        remote_expert=ExpertTime.on_one_core(row),
        call=CallTime(mean_seconds=0.0, main_seconds=0.004),
        main_start=StartTime(seconds=1.0, bytes_per_second=1 << 20),
        function_start=StartTime(seconds=1.0, bytes_per_second=1e9),
    )
    times = PassTimes.of(profile, plan_resident(architecture()))
    assert times.touch_seconds == pytest.approx(1.0)
    assert times.row_seconds == pytest.approx(0.006)
    assert times.step_seconds == pytest.approx(2 * (0.1 + 2 * 0.01) + 0.5)


def test_uses_fade_with_time():
    rates = UseRates.none(2, at=0.0)
    for second in range(0, 6000, 10):
        rates = rates.after(np.array([True, False]), at=float(second))
    busy, idle = rates.per_second(at=6000.0)
    assert busy == pytest.approx(0.1, rel=0.05)
    assert idle == 0.0
    assert rates.per_second(at=60_000.0)[0] < 1e-6


def test_clock_that_steps_back_is_borne():
    rates = UseRates.none(1, at=100.0).after(np.array([True]), at=50.0)
    assert rates.at == 100.0
    assert rates.uses[0] == 1.0


def test_rows_of_a_prompt_share_their_experts_weights_and_functions_their_cores():
    expert = ExpertTime(
        cores=(1.0, 4.0),
        curves=(
            Curve(rows=(1.0, 1000.0), seconds=(0.01, 0.01)),
            Curve(rows=(1.0, 1000.0), seconds=(0.0025, 0.0025)),
        ),
    )
    profile = HardwareProfile(
        name="stated",
        source="a test",
        measured=False,
        module=Curve.nothing(),
        step=Curve.nothing(),
        local_expert=expert,
        remote_expert=expert,
        call=CallTime(mean_seconds=0.0, bytes_per_second=1e15),
        main_start=StartTime(seconds=1.0, bytes_per_second=1e9),
        function_start=StartTime(seconds=1.0, bytes_per_second=1e9),
    )
    remote = plan(function("f0", range(8), cores=4.0))
    times = PassTimes.of(profile, remote)
    rows = profile.prefill_chunk * remote.architecture.top_k / remote.architecture.experts_per_layer
    assert times.local_row_seconds == pytest.approx(0.01 / rows)
    assert times.remote_row_seconds == pytest.approx(0.0025 / rows)
    assert times.row_seconds == pytest.approx(0.01)
