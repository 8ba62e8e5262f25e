"""What must hold of every estimate, whatever the plan."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders.estimating_world import architecture, least_used, machine, routing
from hypothesis import given, settings
from hypothesis import strategies as st

from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.estimate import Estimate
from remoe_planner.estimating.estimate_plan import estimate_plan
from remoe_planner.hardware.curve import Curve
from remoe_planner.hardware.expert_time import ExpertTime
from remoe_planner.hardware.profile import MainTime
from remoe_planner.latency.prefill import expected_expert_seconds
from remoe_planner.offerings import Offerings
from remoe_planner.prices import Prices

PRICES = Prices(main_gib_second=2e-5, function_gib_second=1e-5, gpu_gib_second=6e-5, call=2e-7)
shares = st.sampled_from([0.0, 0.2, 0.5, 1.0])


@st.composite
def worlds(draw):
    """A plan and everything that it is estimated under."""
    model = architecture(
        layers=draw(st.integers(1, 5)), experts=draw(st.sampled_from([4, 8])), top_k=2
    )
    spread = routing(
        model,
        requests=draw(st.sampled_from([0, 20])),
        seed=draw(st.integers(0, 9)),
        skew=draw(st.sampled_from([0.2, 1.0, 50.0])),
    )
    plan = least_used(
        model, spread, draw(shares), functions=draw(st.integers(1, 4)), max_replicas=2
    )
    given = {
        "routing": spread,
        "workload": Workload(
            prompt_tokens=draw(st.integers(1, 400)),
            output_tokens=draw(st.integers(1, 100)),
            requests_per_second=draw(st.sampled_from([0.0, 1e-5, 0.01, 0.5, 20.0])),
            concurrency=draw(st.sampled_from([1.0, 1.3, 2.0, 6.5])),
        ),
        "profile": machine(
            overlap=draw(st.sampled_from([0.0, 0.6, 1.0])),
            function_cores=draw(st.sampled_from([None, 1.0, 4.0])),
        ),
        "offerings": Offerings(
            prices=PRICES,
            main_keep_alive_seconds=draw(st.sampled_from([None, 0.0, 60.0])),
            payload_bytes=draw(st.sampled_from([None, 4096])),
        ),
        "slo": Slo(percentile=draw(st.sampled_from([0.5, 0.95, 0.999]))),
    }
    return plan, given


@given(worlds())
@settings(deadline=None)
def test_terms_add_up_and_nothing_is_negative(world):
    plan, given_ = world
    found = estimate_plan(plan, **given_)
    latency = found.latency
    assert sum(found.ttft_terms.values()) == pytest.approx(latency.ttft_seconds)
    assert sum(found.tpot_terms.values()) == pytest.approx(latency.tpot_seconds)
    assert min(*found.ttft_terms.values(), *found.tpot_terms.values()) >= -1e-15
    assert latency.ttft_at_percentile_seconds >= latency.ttft_seconds * (1 - 1e-9)
    assert latency.tpot_at_percentile_seconds >= latency.tpot_seconds * (1 - 1e-9)
    assert 0 <= latency.cold_start_probability <= 1


@given(worlds())
@settings(deadline=None)
def test_parts_of_a_cost_add_up(world):
    plan, given_ = world
    for cost in (estimate_plan(plan, **given_).busy, estimate_plan(plan, **given_).awake):
        parts = cost.main_per_request + cost.functions_per_request + cost.calls_per_request
        assert parts == pytest.approx(cost.per_request)
        rate = given_["workload"].requests_per_second
        if rate:
            assert cost.per_hour == pytest.approx(3600 * rate * cost.per_request)
        assert cost.per_hour >= cost.idle_per_hour * (1 - 1e-9)


@given(worlds())
@settings(deadline=None)
def test_a_request_alone_costs_no_less_awake_than_busy(world):
    plan, given_ = world
    # Where requests overlap they share seconds awake, and the gateway bills each its own.
    given_["workload"] = replace(given_["workload"], requests_per_second=1e-7, concurrency=1.0)
    found = estimate_plan(plan, **given_)
    for part in ("main_per_request", "functions_per_request", "per_request"):
        assert getattr(found.busy, part) <= getattr(found.awake, part) * (1 + 1e-9)


@given(worlds(), st.sampled_from(["main_gib_second", "function_gib_second", "call"]))
@settings(deadline=None)
def test_cost_never_falls_when_a_price_rises(world, name):
    plan, given_ = world
    dearer = replace(PRICES, **{name: 2 * getattr(PRICES, name)})
    more = given_ | {"offerings": replace(given_["offerings"], prices=dearer)}
    one, other = estimate_plan(plan, **given_), estimate_plan(plan, **more)
    assert other.busy.per_request >= one.busy.per_request
    assert other.awake.per_request >= one.awake.per_request


@given(worlds())
@settings(deadline=None)
def test_more_cores_are_never_slower(world):
    plan, given_ = world
    rich = replace(plan, functions=tuple(replace(f, cores=4.0) for f in plan.functions))
    poor = replace(plan, functions=tuple(replace(f, cores=0.5) for f in plan.functions))
    fast, slow = (estimate_plan(p, **given_).latency for p in (rich, poor))
    assert fast.ttft_seconds <= slow.ttft_seconds * (1 + 1e-6)
    assert fast.tpot_seconds <= slow.tpot_seconds * (1 + 1e-6)


@given(worlds())
@settings(deadline=None)
def test_less_overlap_is_never_faster(world):
    plan, given_ = world
    hidden, seen = (
        estimate_plan(plan, **given_ | {"profile": replace(given_["profile"], overlap=share)})
        for share in (1.0, 0.0)
    )
    assert hidden.latency.tpot_seconds <= seen.latency.tpot_seconds * (1 + 1e-9)
    assert hidden.latency.ttft_seconds <= seen.latency.ttft_seconds * (1 + 1e-9)


@given(worlds())
@settings(deadline=None)
def test_without_requests_only_what_is_kept_warm_is_paid_for(world):
    plan, given_ = world
    given_["workload"] = replace(given_["workload"], requests_per_second=0.0)
    found = estimate_plan(plan, **given_)
    main = plan.main_memory_bytes / (1 << 30) * PRICES.main_gib_second * 3600
    kept = main if given_["offerings"].main_keep_alive_seconds is None else 0.0
    assert found.awake.per_hour == pytest.approx(kept)
    assert found.awake.idle_per_hour == pytest.approx(kept)
    assert found.busy.per_hour == 0


@given(worlds())
@settings(deadline=None)
def test_an_estimate_is_the_same_each_time_and_survives_json(world):
    plan, given_ = world
    found = estimate_plan(plan, **given_)
    assert estimate_plan(plan, **given_) == found
    assert Estimate.from_mapping(found.to_mapping()) == found


def test_a_resident_plan_has_no_function_in_it():
    model = architecture()
    spread = routing(model)
    found = estimate_plan(
        least_used(model, spread, 0.0),
        routing=spread,
        workload=Workload(),
        profile=machine(),
        offerings=Offerings(),
    )
    for terms in (found.ttft_terms, found.tpot_terms):
        assert terms["calls"] == terms["waiting for functions"] == 0
    assert found.busy.functions_per_request == found.awake.functions_per_request == 0
    assert found.function_memory_bytes == 0


def test_kept_replicas_are_paid_for_every_second():
    model = architecture()
    spread = routing(model)
    plan = least_used(model, spread, 0.5, functions=1)
    kept = replace(plan, functions=tuple(replace(f, min_replicas=1) for f in plan.functions))
    found = estimate_plan(
        kept,
        routing=spread,
        workload=Workload(requests_per_second=0.0),
        profile=machine(),
        offerings=Offerings(prices=PRICES),
    )
    memory = kept.functions[0].memory_bytes / (1 << 30)
    assert found.awake.idle_per_hour == pytest.approx(3600 * memory * PRICES.function_gib_second)


def test_more_requests_at_once_share_the_reading_of_experts():
    model = architecture()
    spread = routing(model)
    given_ = {"routing": spread, "profile": machine(), "offerings": Offerings()}
    plan = least_used(model, spread, 0.0)
    one, eight = (
        estimate_plan(plan, workload=Workload(concurrency=c), **given_) for c in (1.0, 8.0)
    )
    assert one.latency.tpot_seconds < eight.latency.tpot_seconds < 8 * one.latency.tpot_seconds
    assert eight.busy.per_request < one.busy.per_request


def test_a_main_model_without_functions_has_the_cores_they_would_have():
    model = architecture()
    spread = routing(model)
    twice = Curve(rows=(1, 16, 256), seconds=(1.5e-4, 2.5e-4, 2e-3))
    expert = ExpertTime.on_one_core(Curve(rows=(1,), seconds=(2e-4,)))
    alone = MainTime(module=twice, step=Curve.nothing(), local_expert=expert, main_cores=2.0)
    given_ = {"routing": spread, "workload": Workload(), "offerings": Offerings()}
    plan = least_used(model, spread, 0.0)
    slow = estimate_plan(plan, profile=machine(), **given_)
    fast = estimate_plan(plan, profile=machine(alone=alone), **given_)
    assert fast.latency.tpot_seconds < slow.latency.tpot_seconds


def test_a_routing_of_another_model_is_refused():
    model = architecture()
    spread = routing(architecture(experts=4))
    with pytest.raises(ValueError, match=r"routing: must be of shape \(4, 8\).*got \(4, 4\)"):
        estimate_plan(
            least_used(model, routing(model), 0.5),
            routing=spread,
            workload=Workload(),
            profile=machine(),
            offerings=Offerings(),
        )


def test_one_token_visits_each_of_its_experts_for_certain():
    seconds = machine().local_expert.seconds
    few = expected_expert_seconds(seconds, np.array([1.0, 0.25]), 1.0, 1)
    assert few == pytest.approx([4e-4, 1e-4])
    many = expected_expert_seconds(seconds, np.array([1.0]), 1.0)
    assert many == pytest.approx(
        expected_expert_seconds(seconds, np.array([1.0]), 1.0, 1e6), rel=1e-5
    )
