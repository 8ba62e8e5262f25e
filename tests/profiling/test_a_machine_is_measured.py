"""Real main models and real functions of a tiny model, measured and put into a profile."""

from __future__ import annotations

import psutil
import pytest
from builders.tiny_checkpoints import build

from remoe_functions.checkpoint.checkpoint import Checkpoint
from remoe_functions.profiling.measure import Profiling, measure
from remoe_functions.profiling.script import Script
from remoe_functions.profiling.session import ProfileError, Setting, run_session
from remoe_planner.demand.routing import Routing
from remoe_planner.demand.workload import Workload
from remoe_planner.estimating.estimate_plan import estimate_plan
from remoe_planner.hardware.profile import HardwareProfile
from remoe_planner.least_used import plan_least_used
from remoe_planner.offerings import Offerings
from remoe_planner.resident import plan_resident

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SHORT = Script(prompt_rows=(1, 8), short_prompt=4, long_prompt=24, steps=4, repeats=1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    build("mixtral", folder)
    return folder


async def test_a_measured_profile_is_whole_and_makes_an_estimate(model):
    said = []
    found = await measure(
        Profiling(model=model, cores=2, name="here", source="a test", script=SHORT), said.append
    )
    assert len(said) == 3
    assert found.measured
    assert HardwareProfile.from_json(found.to_json()) == found
    for time in (found.module, found.alone.module):
        assert time.at(8) > 0
    assert found.call.mean_seconds > 0
    assert found.main_start.seconds > found.function_start.seconds > 0
    assert found.memory.main_working_bytes > found.memory.function_working_bytes > 0
    architecture = Checkpoint.open(model).architecture
    even = Routing.even(architecture)
    plan = plan_least_used(architecture, even.decode, remote_share=0.5)
    estimate = estimate_plan(
        plan,
        routing=even,
        workload=Workload(),
        profile=found,
        offerings=Offerings(),
    )
    assert 0 < estimate.latency.tpot_seconds < 1
    assert not [p for p in psutil.Process().children(recursive=True) if p.is_running()]


async def test_a_main_model_that_does_not_start_is_told_with_its_last_words(model, tmp_path):
    setting = Setting(
        model=model,
        plan=plan_resident(Checkpoint.open(model).architecture),
        main_threads=1,
        max_context=1,
    )
    with pytest.raises(ProfileError, match=r"main does not start: .*max_context"):
        await run_session(setting, SHORT.requests(10), 1)
