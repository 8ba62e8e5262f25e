"""A plan in words and amounts, and the marks that tell plans and questions apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders.moe_services import SHAPE, a_plan, a_spec, facts

from remoe_operator.planned.digest import digest_of, question_key
from remoe_operator.planned.planning import make
from remoe_operator.planned.summary import cost_now, shortfalls_of, summary_of
from remoe_operator.resource.quantity import bytes_of
from remoe_planner.memory import GIB


def summary(**sections):
    spec = a_spec(**sections)
    return summary_of(make(spec, facts()).plan, spec)


def test_a_plan_by_use_tells_its_sizes_and_cost_and_no_latency():
    told = summary()
    assert (told.method, told.experts, told.remote_experts, told.functions) == (
        "least-used",
        24,
        12,
        4,
    )
    assert bytes_of(told.main_memory) >= SHAPE.main_bytes
    assert told.cost_per_hour.endswith(" USD")
    assert told.cost_per_million_tokens.endswith(" USD")
    assert (told.ttft, told.tpot) == (None, None)


def test_a_plan_by_cost_tells_latency():
    told = summary(slo={"tpot": "1s"}, prices={"currency": "EUR"})
    assert told.method == "marginal"
    assert told.ttft.endswith("s")
    assert told.tpot.endswith("ms")
    assert told.cost_per_hour.endswith(" EUR")
    assert told.shortfalls == ()


def test_a_missed_promise_is_told():
    told = summary(slo={"tpot": "1ms"})
    assert told.shortfalls[0].startswith("TPOT of 1.0 ms cannot be promised")


def test_a_missed_promise_is_found_again_in_the_plan_alone():
    spec = a_spec(slo={"tpot": "1ms"})
    made = make(spec, facts())
    assert shortfalls_of(made.plan, spec) == made.shortfalls
    assert shortfalls_of(made.plan, a_spec()) == ()


def test_more_than_can_be_done_is_told_with_what_would_do():
    busy = {"workload": {"requestsPerMinute": 30_000}, "slo": {"tpot": "10s", "ttft": "60s"}}
    told = summary(**busy)
    assert told.load.endswith("% of 1 replica")
    (missed,) = told.shortfalls
    assert "times what can be done: 1.8e+06 requests an hour hold one" in missed
    assert missed.endswith(" main models.")
    calm = summary(slo=busy["slo"], workload={"requestsPerMinute": 1})
    assert calm.shortfalls == ()
    assert int(calm.load.split("%")[0]) < 100


def test_the_load_of_a_machine_that_nobody_knows_is_not_told():
    told = summary(workload={"requestsPerMinute": 30_000})
    assert told.load is None
    assert told.shortfalls == ()


def test_a_plan_without_an_estimate_is_told_without_one():
    told = summary_of(a_plan(), a_spec())
    assert (told.method, told.cost_per_hour, told.ttft) == ("by hand", None, None)


def test_more_reasons_than_a_status_holds_are_counted():
    plan = a_plan()
    many = replace(plan, plan=replace(plan.plan, reasons=("Because.",) * 100))
    told = summary_of(many, a_spec()).reasons
    assert (len(told), told[-1]) == (64, "and 37 more")


@pytest.mark.parametrize(
    ("awake", "gib"),
    [({}, 0), ({"main": 2}, 2 * 1220 / 1024), ({"experts-1": 3, "gone": 9}, 3 * 132 / 1024)],
)
def test_what_is_awake_costs(awake, gib):
    prices = {"mainGibSecond": 1, "functionGibSecond": 1}
    amount, currency = cost_now(a_plan(), a_spec(prices=prices), awake).split()
    assert float(amount) == pytest.approx(3600 * gib, rel=1e-3)
    assert currency == "USD"


def test_a_gpu_costs_besides():
    plan = a_plan()
    gpu = replace(plan, plan=replace(plan.plan, main_gpu_bytes=GIB))
    prices = {"mainGibSecond": 0, "gpuGibSecond": 1}
    assert cost_now(gpu, a_spec(prices=prices), {"main": 1}) == "3600 USD"


def test_digests_tell_what_is_carried_out():
    plan = a_plan().plan
    told = replace(plan, reasons=("Because.",), binding=("memory",))
    assert digest_of(plan) == digest_of(told)
    assert digest_of(plan) != digest_of(replace(plan, main_memory_bytes=GIB))
    assert digest_of(plan) != digest_of(a_plan(experts_1={"cores": 1.0}).plan)
    assert len(digest_of(plan)) == 8


@pytest.mark.parametrize(
    "heeded", [{"min_replicas": 1}, {"max_replicas": 4}, {"keep_alive_seconds": 5.0}]
)
def test_what_the_operator_alone_heeds_starts_no_pod_anew(heeded):
    assert digest_of(a_plan(experts_1=heeded).plan) == a_plan().digest


def key(profile=None, architecture=SHAPE, **sections):
    return question_key(a_spec(**sections), facts(architecture), profile)


@pytest.mark.parametrize(
    "sections",
    [
        {"slo": {"ttft": "2s"}},
        {"workload": {"promptTokens": 3}},
        {"prices": {"call": 1}},
        {"main": {"device": "gpu"}},
        {"main": {"cpu": "2"}},
        {"main": {"memoryLimit": "2Gi"}},
        {"main": {"idleTimeout": "1m"}},
        {"main": {"minReplicas": 1}},
        {"main": {"maxBatch": 4}},
        {"main": {"maxReplicas": 4}},
        {"experts": {"tiers": ["local"]}},
        {"experts": {"maxFunctions": 2}},
        {"profile": "text"},
        {"architecture": replace(SHAPE, revision="def")},
    ],
)
def test_whatever_planning_reads_asks_anew(sections):
    assert key(**sections) != key()


@pytest.mark.parametrize(
    "sections",
    [
        {"main": {"podTemplate": {"spec": {}}}},
        {"experts": {"podTemplate": {"spec": {}}}},
        {"experts": {"cpu": "1"}},
        {"auth": {"keysSecret": "keys"}},
        {"history": {"maxSize": "1Gi"}},
        {"autoApply": False},
    ],
)
def test_whatever_planning_does_not_read_does_not(sections):
    assert key(**sections) == key()


def test_an_autoscaler_that_keeps_more_replicas_asks_for_no_plan():
    one, three = (key(main={"minReplicas": n, "maxReplicas": 3}) for n in (1, 3))
    assert one == three
