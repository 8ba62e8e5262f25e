"""Beside the requests it is asked whether another plan would pay; it is told, never carried out."""

from __future__ import annotations

import asyncio
import logging

import numpy as np
import pytest
from builders.planning_worlds import a_profile
from gateway.conftest import plan

from remoe_functions.gateway import plan_watch
from remoe_functions.gateway.composition import Gateway
from remoe_functions.gateway.config import ConfigError, GatewayConfig
from remoe_functions.gateway.keys import KeyRing
from remoe_functions.gateway.plan_watch import PlanTerms, PlanWatch
from remoe_functions.history.record import HistoryRecord
from remoe_functions.history.writer import HistoryWriter
from remoe_planner.activation_history import ActivationHistory
from remoe_planner.fast_loop.drift import DriftKnobs
from remoe_planner.prices import Prices

# The plan's functions hold the experts 0 and 1.
LOCAL, REMOTE = [0.02, 0.02, 0.48, 0.48], [0.48, 0.48, 0.02, 0.02]
AT_ONCE = DriftKnobs(patience_seconds=0.0, look_seconds=0.0, rest_seconds=0.0)


def counts(use, count, seed=0):
    return np.random.default_rng(seed).poisson(100 * np.array(use), (count, 2, 4)).astype(np.uint32)


def history(*uses, times=None):
    prefill = np.concatenate([counts(use, 200, seed) for seed, use in enumerate(uses)])
    lengths = np.full(len(prefill), 100, np.uint32)
    return ActivationHistory(
        vectors=np.zeros((len(prefill), 8), np.float32),
        prefill=prefill,
        decode=prefill,
        prompt_tokens=lengths,
        decode_tokens=lengths,
        times=None if times is None else np.full(len(prefill), times, np.uint32),
    )


def nothing():
    return ActivationHistory.empty((2, 4), 8)


def watch(knobs=AT_ONCE):
    prices = Prices(main_gib_second=1e-5, function_gib_second=1e-5)
    return PlanWatch(PlanTerms(plan=plan(), profile=a_profile(), prices=prices), knobs)


def looked(made, *, at, requests=100):
    """A look after one that knew the rate of nothing yet."""
    made.look(now=at - 10, requests=0)
    return made.look(now=at, requests=requests)


def test_use_that_moved_to_remote_experts_makes_a_new_plan_pay():
    made = watch()
    made.take_history(history(LOCAL), now=0.0)
    assert looked(made, at=100.0) == 0.0
    made.take_history(history(LOCAL, REMOTE), now=200.0)
    assert looked(made, at=300.0) > 0


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (history(LOCAL), history(LOCAL, LOCAL)),
        (history(REMOTE), history(REMOTE)),
        (nothing(), nothing()),
    ],
)
def test_use_as_planned_keeps_the_plan(first, then):
    made = watch()
    made.take_history(first, now=0.0)
    made.take_history(then, now=50.0)
    assert looked(made, at=100.0) == 0.0


def test_plan_made_of_no_history_can_be_bettered_by_the_first():
    made = watch()
    made.take_history(nothing(), now=0.0)
    made.take_history(history(REMOTE), now=50.0)
    assert looked(made, at=100.0) > 0


@pytest.mark.parametrize("knobs", [None, DriftKnobs(rest_seconds=0.0)])
def test_plan_is_not_bettered_at_once(knobs):
    made = watch(knobs)
    made.take_history(history(LOCAL), now=0.0)
    made.take_history(history(LOCAL, REMOTE), now=50.0)
    assert looked(made, at=100.0) == 0.0


def test_without_requests_nothing_is_saved():
    made = watch()
    made.take_history(history(LOCAL), now=0.0)
    made.take_history(history(LOCAL, REMOTE), now=50.0)
    assert looked(made, at=100.0, requests=0) == 0.0
    assert watch().look(now=1.0, requests=5) == 0.0


def test_saving_is_told_as_long_as_it_is_there_and_logged_once(caplog):
    caplog.set_level(logging.INFO, logger=plan_watch.__name__)
    made = watch(DriftKnobs(patience_seconds=30.0, look_seconds=0.0, rest_seconds=0.0))
    made.take_history(history(LOCAL), now=0.0)
    made.take_history(history(LOCAL, REMOTE), now=50.0)
    savings = [made.look(now=100.0 + 20 * n, requests=10 * n) for n in range(6)]
    assert savings[:3] == [0.0, 0.0, 0.0]
    assert min(savings[3:]) > 0
    assert len([r for r in caplog.messages if "a new plan of tiny would save" in r]) == 1
    made.take_history(history(REMOTE, LOCAL), now=300.0)
    assert made.look(now=310.0, requests=70) == 0.0


def test_prompts_that_came_often_count_as_single_requests():
    once, often = watch(), watch()
    for made, times in ((once, None), (often, 9)):
        made.take_history(history(LOCAL, times=times), now=0.0)
        made.take_history(history(LOCAL, REMOTE, times=times), now=50.0)
    assert often._recorded.usage.requests == pytest.approx(once._recorded.usage.requests)


def record(directory, use):
    writer = HistoryWriter(directory, "r1")
    for drawn in counts(use, 100):
        writer.append(
            HistoryRecord(
                prompt_tokens=100, decode_tokens=100, vector=None, prefill=drawn, decode=drawn
            )
        )
    writer.close()
    assert writer.dropped == 0


async def test_running_gateway_tells_the_saving_and_goes_on_with_its_plan(
    world, tmp_path, monkeypatch
):
    monkeypatch.setattr(plan_watch, "DriftKnobs", lambda: AT_ONCE)
    (tmp_path / "profile.json").write_text(a_profile().to_json())
    kept = tmp_path / "history"
    record(kept, LOCAL)
    configured = {"history": kept, "profile": tmp_path / "profile.json"}
    often = {"replan_seconds": 0.05, "history_refresh_seconds": 0.05}
    prices = {"main_gib_second": 1e-5, "function_gib_second": 1e-5, "call": 0.0}
    async with world(model=configured, forecast=often, prices=prices) as w:
        service = w.service
        await w.until(lambda: service.forecasting._signature is not None)
        for _ in range(3):
            assert (await w.chat()).status_code == 200
        assert await w.metric("remoe:replan_saving_per_hour") == 0.0
        record(kept, REMOTE)
        saving = service.metrics.replan_saving._value.get
        async with asyncio.timeout(30):
            while not saving():
                await w.chat()
        assert service.model.plan == plan()
        assert w.runtime.wakes == []


async def test_gateway_without_a_profile_watches_nothing(world, tmp_path):
    async with world(model={"history": tmp_path}, forecast={"replan_seconds": 0.01}) as w:
        assert w.service.forecasting._watch is None
        assert (await w.chat()).status_code == 200
        assert await w.metric("remoe:replan_saving_per_hour") == 0.0


def test_profile_that_is_none_is_refused_at_the_start(model_directory, tmp_path):
    (tmp_path / "profile.json").write_text("{}")
    model = {
        "name": "tiny",
        "directory": model_directory,
        "plan": model_directory / "plan.json",
        "profile": tmp_path / "profile.json",
        "main_url": "http://127.0.0.1:9",
    }
    config = GatewayConfig.model_validate({"models": [model]})
    with pytest.raises(ConfigError, match="cannot read the hardware profile"):
        Gateway.build(config, {"tiny": None}, keys=KeyRing({}), token="")
