"""The gateway's waker: what is worth waking is woken in time, judged, and learned from."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest
from gateway.conftest import GIB, plan
from gateway.fake_runtime import FakeRuntime

from remoe_functions.gateway.function_waking import FunctionWaker, WakeEconomy, WakeRecord
from remoe_functions.gateway.metrics import Metrics
from remoe_functions.gateway.parts import PartsView
from remoe_functions.runtime.state import Replica, ReplicaState
from remoe_planner.experts import ExpertId
from remoe_planner.fast_loop.demand import Phase
from remoe_planner.plan import FunctionPlan
from remoe_planner.prices import Prices

CHEAP = Prices(main_gib_second=1.0, function_gib_second=1e-4)
DEAR = Prices(main_gib_second=1e-4, function_gib_second=1.0)
TO_F0 = np.array([[1.0, 0, 0, 0], [1.0, 0, 0, 0]])
NOWHERE = np.array([[0, 0, 1.0, 0], [0, 0, 1.0, 0]])


class World:
    def __init__(self, runtime, waker, metrics):
        self.runtime, self.waker, self._metrics = runtime, waker, metrics

    def wake_for(self, spread=TO_F0, *, prompt=50, answer=50):
        return self.waker.wake_for(
            prompt=Phase(frequencies=spread, tokens=prompt),
            answer=Phase(frequencies=spread, tokens=answer),
        )

    def metric(self, name, **labels):
        found = self._metrics.registry.get_sample_value(name, {"model_name": "tiny"} | labels)
        return found or 0.0

    async def until(self, condition):
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def world(*, runtime=None, prices=CHEAP, made=None):
    runtime, metrics = runtime or FakeRuntime(), Metrics()
    parts = PartsView(runtime)
    watching = asyncio.create_task(parts.run())
    waker = FunctionWaker(
        runtime=runtime,
        parts=parts,
        metrics=metrics.of("tiny"),
        economy=WakeEconomy(plan=made or plan(), prices=prices),
    )
    try:
        w = World(runtime, waker, metrics)
        await w.until(lambda: parts.latest is not None)
        yield w
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def with_seconds(runtime, name, seconds):
    replica = Replica(
        id=f"{name}-1", state=ReplicaState.READY, host="h", port=1, phases={"start": seconds}
    )
    runtime.update(name, desired=1, replicas=(replica,))


async def test_function_that_pays_is_woken_beside_a_sleeping_main():
    async with world() as w:
        record = w.wake_for()
        await w.until(lambda: w.runtime.wakes == ["f0"])
    assert record == WakeRecord(asleep=frozenset({"f0", "f1"}), woken=frozenset({"f0"}))


async def test_function_that_does_not_pay_is_left_to_main():
    async with world(prices=DEAR) as w:
        assert w.wake_for().woken == frozenset()


async def test_request_that_goes_elsewhere_wakes_nothing():
    async with world() as w:
        assert w.wake_for(NOWHERE).woken == frozenset()


async def test_herd_wakes_a_function_once():
    async with world() as w:
        for _ in range(10):
            w.wake_for()
        await w.until(lambda: w.runtime.wakes)
        await asyncio.sleep(0.05)
    assert w.runtime.wakes == ["f0"]


async def test_function_is_woken_only_as_early_as_main_needs_it_once_its_start_was_seen():
    runtime = FakeRuntime()
    with_seconds(runtime, "main", 30.0)
    with_seconds(runtime, "f0", 0.5)
    async with world(runtime=runtime) as w:
        w.wake_for()
        runtime.update("main", desired=0, replicas=())
        runtime.update("f0", desired=0, replicas=())
        await w.until(lambda: not w.waker._parts.parts["f0"].replicas)
        record = w.wake_for()
        await asyncio.sleep(0.05)
    assert record.woken == {"f0"}
    assert w.runtime.wakes == []


async def test_burst_asks_for_more_replicas():
    experts = tuple(ExpertId(layer, index) for layer in (0, 1) for index in range(4))
    whole = FunctionPlan(name="f0", experts=experts, memory_bytes=GIB, max_replicas=4)
    made = replace(plan(), functions=(whole,))
    free = Prices(main_gib_second=1.0, function_gib_second=0.0)
    even = np.full((2, 4), 0.25)
    async with world(made=made, prices=free) as w:
        w.wake_for(even, prompt=5000)
        await w.until(lambda: w.runtime.parts["f0"].desired > 1)
    assert w.runtime.parts["f0"].desired <= 4


async def test_runtime_that_fails_is_only_logged():
    runtime = FakeRuntime()
    async with world(runtime=runtime) as w:
        runtime.unavailable = True
        w.wake_for()
        await w.until(lambda: not w.waker._tasks)
        runtime.unavailable = False
        assert w.wake_for().woken == {"f0"}


async def test_wakes_are_judged_by_what_the_request_used():
    usage = {"functions": {"f1": {"calls": 2, "rows": 3, "busy_seconds": 0.1}}}
    async with world() as w:
        record = w.wake_for()
        w.waker.judge([record], usage)
        assert w.metric("remoe:wakes_judged_total", used="no") == 1
        assert w.metric("remoe:functions_needed_total", found="asleep") == 1
        w.waker.judge([record], {"functions": {"f0": {"calls": 1, "rows": 1, "busy_seconds": 0}}})
        assert w.metric("remoe:wakes_judged_total", used="yes") == 1
        assert w.metric("remoe:functions_needed_total", found="woken") == 1


async def test_function_that_was_awake_is_counted_as_found_awake():
    runtime = FakeRuntime()
    with_seconds(runtime, "f0", 0.5)
    async with world(runtime=runtime) as w:
        record = w.wake_for()
        w.waker.judge([record], {"functions": {"f0": {"calls": 1, "rows": 1, "busy_seconds": 0}}})
        assert w.metric("remoe:functions_needed_total", found="awake") == 1
    assert record.woken == frozenset()


async def test_times_of_requests_are_learned():
    async with world() as w:
        before = w.waker._learned.times.step_seconds
        usage = {
            "prompt_tokens": 10,
            "completion_tokens": 100,
            "main_seconds": 100.0,
            "functions": {"f0": {"calls": 1, "rows": 10, "busy_seconds": 5.0}},
        }
        for _ in range(50):
            w.waker.judge([], usage)
        learned = w.waker._learned.times
    assert learned.step_seconds > before
    assert learned.step_seconds == pytest.approx(1.0, rel=0.2)
    assert learned.remote_row_seconds == pytest.approx(0.5)


@pytest.mark.parametrize(
    "usage",
    [{"functions": {"f0": 3}}, {"functions": []}, {"main_seconds": None}, {"prompt_tokens": "x"}],
)
async def test_account_that_is_not_understood_does_not_show(usage):
    async with world() as w:
        before = w.waker._learned.times
        w.waker.judge([w.wake_for()], usage)
        assert w.waker._learned.times == before
