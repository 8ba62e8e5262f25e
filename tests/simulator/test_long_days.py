"""Over many requests at random, the simulator spends what the estimator expects."""

import numpy as np
import pytest
from builders.estimating_world import machine, routing
from builders.simulated_days import STEADY, contender, request

from remoe_planner.demand.workload import Workload
from remoe_planner.estimating.estimate_plan import estimate_plan
from remoe_planner.offerings import Offerings
from remoe_simulator.simulate import simulate


def poisson(count, mean_seconds, **given):
    arrivals = np.cumsum(np.random.default_rng(5).exponential(mean_seconds, count))
    return [request(f"{i}", float(at), seed=i, **given) for i, at in enumerate(arrivals)]


# A main model that sleeps bunches the requests that its functions see, so one of them at a time.
@pytest.mark.parametrize(("remote", "keep_alive"), [(0, 20.0), (4, None)])
@pytest.mark.parametrize("every", [10.0, 60.0])
def test_seconds_awake_are_the_estimators(remote, keep_alive, every):
    service = contender(
        remote=remote,
        main_keep_alive_seconds=keep_alive,
        profile=machine(call=STEADY, prefill_chunk=32),
    )
    day = simulate(service, poisson(600, every, steps=8))
    told = estimate_plan(
        service.plan,
        routing=routing(service.plan.architecture, skew=1e7),
        workload=Workload(prompt_tokens=32, output_tokens=8, requests_per_second=600 / day.seconds),
        profile=service.profile,
        offerings=Offerings(prices=service.prices, main_keep_alive_seconds=keep_alive),
    )
    asleep = np.mean([one.found_main_asleep for one in day.served])
    assert asleep == pytest.approx(told.latency.cold_start_probability, abs=0.05)
    # Calls apart: of a function that sleeps there are none, and the estimator counts them.
    awake, expected = day.awake, told.awake
    assert awake.main_cost / 600 == pytest.approx(expected.main_per_request, rel=0.05)
    assert awake.function_cost / 600 == pytest.approx(expected.functions_per_request, rel=0.05)
