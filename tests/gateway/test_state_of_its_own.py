"""A gateway with a folder of its own for what it learned: histories are shared, and only read."""

from contextlib import AsyncExitStack

import pytest
from gateway.learning import told_of
from gateway.test_forecast import ask, checkpoint_directory, knows, model, remember  # noqa: F401
from gateway.test_learning_from_requests import learned, ready

from remoe_functions.gateway.forecaster_state import state_path


async def test_nothing_is_written_beside_the_history(world, tmp_path):
    history, state = tmp_path / "history", tmp_path / "state"
    async with world(model={"history": history, "state": state}) as w:
        await ready(w)
        await ask(w, [10, 11, 12])
        await learned(w, 1)
    assert not history.exists()
    assert state_path(state, "r1").exists()
    async with world(model={"history": history, "state": state}) as w:
        await ready(w)
        await learned(w, 1)


async def test_two_gateways_of_one_history_keep_what_each_learned(world, tmp_path):
    configs = [{"history": tmp_path / "history", "state": tmp_path / n} for n in ("one", "two")]
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(world(model=c)) for c in configs]
        for w in (one, two):
            await ready(w, told_of)
        await ask(one, [10, 11])
        await ask(two, [10, 11])
        await ask(two, [12, 13])
        await learned(one, 1)
        await learned(two, 2)
    for config, count in zip(configs, (1, 2), strict=True):
        async with world(model=config) as w:
            await ready(w)
            await learned(w, count)


@pytest.mark.parametrize("there", [False, True])
async def test_new_gateway_forecasts_from_what_mains_recorded(
    there,
    world,
    tmp_path,
    checkpoint_directory,  # noqa: F811
):
    history = tmp_path / "history"
    if there:
        remember(history, checkpoint_directory, [10], 1)
    configured = model(checkpoint_directory, history) | {"state": tmp_path / "state"}
    often = {"history_refresh_seconds": 0.05}
    async with world(model=configured, forecast=often) as w:
        await knows(w)
        assert (await ask(w, [10]))["functions_forecast"] == (["f1"] if there else [])
        if not there:
            remember(history, checkpoint_directory, [10], 1)
            await w.until(lambda: w.service.forecasting.forecast.past.requests > 0)
        assert (await ask(w, [10]))["functions_forecast"] == ["f1"]
