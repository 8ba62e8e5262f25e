"""What a rate of requests makes of a plan: how much is asked of it, and when it is too much."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders.estimating_world import architecture, least_used, machine, routing
from builders.simulated_days import STEADY, contender, request
from hypothesis import given, settings
from hypothesis import strategies as st

from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.estimate import Estimate
from remoe_planner.estimating.estimate_plan import estimate_plan
from remoe_planner.offerings import Offerings
from remoe_planner.planning.promise import keeps, shortfalls
from remoe_simulator.simulate import simulate

MODEL = architecture()
SPREAD = routing(MODEL)


def told(rate, *, remote=0.5, lengths=None, concurrency=1.0, **offered):
    offered = {"main_keep_alive_seconds": None} | offered
    return estimate_plan(
        least_used(MODEL, SPREAD, remote, functions=1),
        routing=SPREAD,
        workload=Workload(requests_per_second=rate, concurrency=concurrency, **(lengths or {})),
        profile=machine(prefill_chunk=64),
        offerings=Offerings(**offered),
    )


lengths = st.fixed_dictionaries(
    {
        "prompt_tokens": st.integers(1, 400),
        "output_tokens": st.integers(1, 300),
        "max_prompt_tokens": st.integers(400, 2000),
        "max_output_tokens": st.integers(300, 600),
    }
)
batches = st.sampled_from([1, 2, 5, 8, 64, 1024])


@given(
    lengths=lengths,
    batch=batches,
    remote=st.sampled_from([0.0, 0.5]),
    shares=st.tuples(st.floats(0.0, 0.97), st.floats(1e-3, 0.5)),
    concurrency=st.sampled_from([1.0, 2.4]),
)
@settings(deadline=None, max_examples=40)
def test_more_requests_are_more_load_and_never_faster(lengths, batch, remote, shares, concurrency):
    given_ = {"lengths": lengths, "max_batch": batch, "remote": remote, "concurrency": concurrency}
    most = told(0.0, **given_).load.most_requests_per_second
    low, high = sorted((shares[0] * most, (shares[0] + shares[1]) * most))

    seldom, often = told(low, **given_), told(high, **given_)

    assert seldom.load.share < often.load.share
    assert seldom.load.share == pytest.approx(low / most)
    for name in ("ttft_seconds", "tpot_seconds", "tpot_at_percentile_seconds"):
        assert getattr(seldom.latency, name) <= getattr(often.latency, name) * (1 + 1e-2)
    assert seldom.load.rows <= often.load.rows * (1 + 1e-9) <= max(batch, 1) * (1 + 1e-6)


@given(lengths=lengths, batch=batches, beyond=st.floats(1.0, 50.0))
@settings(deadline=None, max_examples=30)
def test_a_rate_above_what_can_be_done_is_never_kept(lengths, batch, beyond):
    most = told(0.0, lengths=lengths, max_batch=batch).load.most_requests_per_second
    patient = Slo(ttft_seconds=1e9, tpot_seconds=1e9)

    below = told(0.5 * most, lengths=lengths, max_batch=batch)
    above = told(beyond * most * (1 + 1e-9), lengths=lengths, max_batch=batch)

    assert keeps(below, patient)
    assert not shortfalls(below, patient)
    for slo in (patient, Slo()):
        assert not keeps(above, slo)
        (missed,) = shortfalls(above, slo)
        assert missed.constraint == "load"
        assert missed.had == pytest.approx(beyond)


def test_seldom_requests_are_estimated_as_if_each_were_alone():
    alone, seldom = told(0.0).latency, told(1e-4).latency
    for name in ("ttft", "tpot"):
        for at in ("seconds", "at_percentile_seconds"):
            field = f"{name}_{at}"
            assert getattr(seldom, field) == pytest.approx(getattr(alone, field), rel=1e-3)


def test_what_is_missing_is_said_in_numbers():
    found = told(10.0)
    load = found.load
    (missed,) = shortfalls(found, Slo())
    assert missed.sentence.startswith(f"The main model is asked for {load.share:.3g} times")
    assert "3.6e+04 requests an hour hold one" in missed.sentence
    assert f"at most {3600 * load.most_requests_per_second:.4g} an hour" in missed.sentence
    assert f"or {int(load.share) + 1} main models" in missed.sentence


def test_main_models_are_added_as_far_as_there_may_be_and_paid_for():
    one = told(0.0, remote=0.0).load.most_requests_per_second
    few, several = (told(2.5 * one, remote=0.0, main_replicas=most) for most in (1, 5))
    assert few.load.overloaded
    assert few.load.replicas == 1
    assert not several.load.overloaded
    assert several.load.replicas == 4
    assert several.load.share == pytest.approx(0.5)
    assert several.awake.main_per_request == pytest.approx(4 * few.awake.main_per_request)
    assert several.latency.tpot_seconds < few.latency.tpot_seconds


def test_an_estimate_of_before_says_nothing_of_load():
    values = told(0.01).to_mapping()
    assert Estimate.from_mapping(values).load == told(0.01).load
    del values["load"]
    before = Estimate.from_mapping(values)
    assert before.load is None
    assert keeps(before, Slo())


@pytest.mark.parametrize(
    ("remote", "chunks", "load"),
    [(0, (32,), 0.3), (0, (32,) * 8, 0.3), (4, (32,), 0.5), (4, (32,) * 8, 0.2)],
)
def test_a_simulated_day_at_a_load_is_as_slow_as_was_told(remote, chunks, load):
    service = contender(remote=remote, profile=machine(call=STEADY, prefill_chunk=32))
    plan = replace(
        service.plan,
        functions=tuple(replace(each, min_replicas=1) for each in service.plan.functions),
    )
    service = replace(service, plan=plan)

    def estimate(rate):
        work = Workload(
            prompt_tokens=sum(chunks),
            output_tokens=40,
            max_prompt_tokens=sum(chunks),
            max_output_tokens=40,
            requests_per_second=rate,
        )
        return estimate_plan(
            service.plan,
            routing=routing(service.plan.architecture, skew=1e7),
            workload=work,
            profile=service.profile,
            offerings=Offerings(prices=service.prices, main_keep_alive_seconds=None),
        )

    rate = load * estimate(0.0).load.most_requests_per_second
    chance = np.random.default_rng(3)
    kinds = [request("a", chunks=chunks, steps=40, seed=seed) for seed in range(12)]
    arrivals = np.cumsum(chance.exponential(1 / rate, 1200)).tolist()
    requests = [
        replace(kinds[chance.integers(12)], name=str(n), arrival_seconds=at)
        for n, at in enumerate(arrivals)
    ]
    day = simulate(service, requests)
    latency = estimate(rate).latency
    # The band that designs/011 states.
    assert 0.8 < latency.tpot_seconds / np.mean([s.tpot_seconds for s in day.served]) < 1.25
    assert 0.8 < latency.tpot_at_percentile_seconds / day.tpot_seconds(0.95) < 1.3
    assert 0.8 < latency.ttft_seconds / np.mean([s.ttft_seconds for s in day.served]) < 1.3
    assert 0.8 < latency.ttft_at_percentile_seconds / day.ttft_seconds(0.95) < 1.5
