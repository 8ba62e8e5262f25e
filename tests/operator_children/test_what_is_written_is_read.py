"""Facts and plans survive their ConfigMaps; what is none of them is refused in words."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from builders.moe_services import SHAPE, a_plan, a_service, facts

from remoe_operator.children.facts_config import facts_config, facts_from_message, facts_of
from remoe_operator.children.fetch_job import source_key
from remoe_operator.children.plan_config import PlanInForce, plan_config, plan_of


def test_facts_are_read_back():
    made = facts_config(a_service(), facts())
    assert facts_of(made) == facts()
    assert made["metadata"]["labels"]["remoe.dev/source"] == source_key(a_service())


def test_facts_are_read_from_the_jobs_last_words():
    message = {"architecture": asdict(SHAPE), "revision": "abc", "bytes": SHAPE.total_bytes}
    assert facts_from_message(json.dumps(message)) == facts()


@pytest.mark.parametrize(
    "message",
    ["", "Killed", "[]", "{}", '{"error": {"reason": "DiskFull"}}', '{"architecture": {}}'],
)
def test_other_last_words_are_no_facts(message):
    with pytest.raises(ValueError, match="no facts"):
        facts_from_message(message)


@pytest.mark.parametrize("data", [None, {}, {"architecture.json": "no JSON"}])
def test_other_config_maps_hold_no_facts(data):
    with pytest.raises(ValueError, match="not the facts"):
        facts_of({"metadata": {"name": "demo-model"}, "data": data})


def test_plans_are_read_back():
    plan = PlanInForce(plan=a_plan().plan, digest=a_plan().digest, key="0123abcd")
    assert plan_of(plan_config(a_service(), plan)) == plan
    assert plan_of(plan_config(a_service(), a_plan())) == a_plan()


@pytest.mark.parametrize("data", [{}, {"plan.json": "{}"}, {"plan.json": "no JSON"}])
def test_other_config_maps_hold_no_plan(data):
    made = plan_config(a_service(), a_plan())
    with pytest.raises(ValueError):  # noqa: PT011 (the planner's own words, or ours)
        plan_of(made | {"data": data})
