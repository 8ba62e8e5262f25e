"""Which plan is carried out: a choice among those that were made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from builders.service_world import ARCHITECTURE

from remoe_operator.children.plan_config import PlanInForce
from remoe_operator.reconcile.plans import StoredPlan, choose, in_force, with_new
from remoe_planner.plan import Plan

NOW = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
PLAN = Plan(architecture=ARCHITECTURE, functions=(), main_memory_bytes=1)


def stored(digest, key="k", made="2026-01-01T00:00:00Z", chosen=""):
    plan = PlanInForce(plan=PLAN, digest=digest, key=key)
    return StoredPlan(plan=plan, made_at=made, chosen_at=chosen)


def chosen(plans, *, key="k", auto_apply=True, approved=""):
    return choose(plans, key, auto_apply=auto_apply, approved=approved, now=NOW)


def digests(choice):
    return tuple(s and s.plan.digest for s in (choice.target, choice.waiting))


def test_nothing_is_chosen_from_nothing():
    assert digests(chosen([])) == (None, None)


def test_newest_plan_for_the_question_is_taken():
    old = stored("a", chosen="2026-01-01T00:00:01Z")
    assert digests(chosen([old, stored("b", made="2026-01-02T00:00:00Z")])) == ("b", None)


def test_plan_for_another_question_is_not():
    old = stored("a", chosen="2026-01-01T00:00:01Z")
    assert digests(chosen([old, stored("b", key="other")])) == ("a", None)


@pytest.mark.parametrize(
    ("approved", "expected"), [("", ("a", "b")), ("a", ("a", "b")), ("b", ("b", None))]
)
def test_approval_takes_the_plan_that_it_names_and_no_other(approved, expected):
    plans = [
        stored("a", chosen="2026-01-01T00:00:01Z"),
        stored("b", made="2026-01-02T00:00:00Z"),
    ]
    assert digests(chosen(plans, auto_apply=False, approved=approved)) == expected


def test_choice_is_kept_in_the_order_of_choices_even_where_the_clock_was_set_back():
    later = (NOW + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    plans = [stored("a", chosen=later), stored("b", made="2026-01-02T00:00:00Z")]
    choice = chosen(plans)
    assert in_force(choice.stored).plan.digest == "b"


def test_choosing_twice_changes_nothing():
    plans = [stored("a", chosen="2026-01-01T00:00:01Z"), stored("b", made="2026-01-02T00:00:00Z")]
    once = chosen(plans)
    assert chosen(once.stored).stored == once.stored


def test_same_plan_for_a_new_question_stays_chosen():
    old = stored("a", chosen="2026-01-01T00:00:01Z")
    made = PlanInForce(plan=PLAN, digest="a", key="new")
    choice = chosen(with_new([old], made, NOW), key="new")
    assert digests(choice) == ("a", None)
    assert choice.target.chosen_at == old.chosen_at
