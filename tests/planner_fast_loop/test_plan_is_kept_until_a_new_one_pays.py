"""Drift: a stationary day changes nothing, a new topic does, and what does not pay does not."""

from dataclasses import replace

import numpy as np
import pytest
from planner_fast_loop.loop_world import architecture, function, plan

from remoe_planner.fast_loop.change import Change, change_between
from remoe_planner.fast_loop.drift import (
    DriftKnobs,
    Keep,
    Planned,
    Proposal,
    Replan,
    Watch,
    look,
)
from remoe_planner.fast_loop.usage import RunningUsage
from remoe_planner.hardware.curve import Curve
from remoe_planner.hardware.expert_time import ExpertTime
from remoe_planner.hardware.profile import CallTime, HardwareProfile, StartTime
from remoe_planner.memory import GIB
from remoe_planner.prices import Prices

LAYERS, EXPERTS, TOP_K = 4, 16, 2
DAY = 24 * 3600.0
FREE = Change(moved_bytes=0, functions_started=0, main_restarts=False, seconds=0.0, cost=0.0)


class Town:
    """Requests of a few topics; the best plan keeps local what is used most, the rest costs."""

    def __init__(self, *, seed, topics=(0, 1, 2)):
        self.rng = np.random.default_rng(seed)
        world = np.random.default_rng(5)
        self.spreads = world.dirichlet(np.full(EXPERTS, 0.4), (6, LAYERS))
        self.topics = topics

    def request(self):
        spread = self.spreads[self.rng.choice(self.topics)]
        tokens = int(np.exp(self.rng.uniform(np.log(10), np.log(400))))
        return np.stack([self.rng.multinomial(tokens * TOP_K, s) for s in spread]).astype(float)


def past(town, count=300):
    total = sum(town.request() for _ in range(count))
    return total / total.sum(axis=1, keepdims=True)


def local_half(shares):
    return np.argsort(-shares, axis=1)[:, : EXPERTS // 2]


def remote_cost(shares, local):
    return 1 - float(np.take_along_axis(shares, local, axis=1).sum(axis=1).mean())


def proposing(planned, *, change=FREE, asked=None):
    """A planner that keeps the most used half local; an hour costs by what is used remotely."""
    local = local_half(planned.shares)

    def propose(routing):
        if asked is not None:
            asked.append(routing)
        fresh = local_half(routing.prefill)
        return Proposal(
            current_per_hour=1 + 10 * remote_cost(routing.prefill, local),
            proposed_per_hour=1 + 10 * remote_cost(routing.prefill, fresh),
            change=change,
        )

    return propose


def day(town, planned, *, seconds_between=20.0, until=DAY, change=FREE, knobs=None, asked=None):
    """Requests and looks until a new plan is wanted; (requests served, verdict, usage)."""
    usage, watch = RunningUsage.nothing((LAYERS, EXPERTS)), Watch()
    propose, now, served = proposing(planned, change=change, asked=asked), 0.0, 0
    while now < until:
        now, served = now + seconds_between, served + 1
        usage = usage.after(town.request(), planned.shares)
        verdict, watch = look(watch, usage, planned, now=now, propose=propose, knobs=knobs)
        if isinstance(verdict, Replan):
            return served, verdict
    return served, verdict


def planned_for(town, *, at=-DAY):
    return Planned(shares=past(town), requests=100.0, at=at)


@pytest.mark.parametrize("seed", range(3))
def test_stationary_day_changes_nothing(seed):
    planned = planned_for(Town(seed=100 + seed))
    served, verdict = day(Town(seed=seed), planned)
    assert served == 4320
    assert isinstance(verdict, Keep)


@pytest.mark.parametrize("seed", range(3))
def test_new_topic_changes_the_plan_within_150_requests(seed):
    planned = planned_for(Town(seed=100 + seed))
    served, verdict = day(Town(seed=seed, topics=(4, 5)), planned)
    assert isinstance(verdict, Replan)
    assert served <= 150
    assert verdict.saving > 0
    assert "use has shifted" in verdict.reason


def test_change_that_costs_more_than_it_saves_is_not_made():
    planned = planned_for(Town(seed=1))
    dear = replace(FREE, cost=1e6)
    knobs = DriftKnobs(look_seconds=0)
    _, verdict = day(Town(seed=2, topics=(4, 5)), planned, change=dear, until=7200.0, knobs=knobs)
    assert isinstance(verdict, Keep)
    assert "would gain" in verdict.reason


def test_new_plan_is_made_only_once_use_has_shifted_and_no_more_often_than_asked():
    planned = planned_for(Town(seed=1))
    asked = []
    day(Town(seed=2), planned, asked=asked, until=3600.0)
    assert asked == []
    dear = replace(FREE, cost=1e6)
    day(Town(seed=2, topics=(4,)), planned, change=dear, asked=asked, until=3600.0)
    assert 10 <= len(asked) <= 60


def test_change_must_pay_for_a_while_without_a_break():
    planned = planned_for(Town(seed=1))
    usage = RunningUsage.nothing((LAYERS, EXPERTS))
    town = Town(seed=2, topics=(4,))
    for _ in range(200):
        usage = usage.after(town.request(), planned.shares)
    propose = proposing(planned)
    knobs = DriftKnobs(patience_seconds=300, look_seconds=10)
    verdict, watch = look(Watch(), usage, planned, now=0.0, propose=propose, knobs=knobs)
    assert verdict == Keep(reason="a change has paid for 0 s of 300")
    verdict, watch = look(watch, usage, planned, now=299.0, propose=propose, knobs=knobs)
    assert isinstance(verdict, Keep)
    costly = proposing(planned, change=replace(FREE, cost=1e6))
    verdict, broken = look(watch, usage, planned, now=310.0, propose=costly, knobs=knobs)
    assert broken.pays_since is None
    verdict, _ = look(watch, usage, planned, now=310.0, propose=propose, knobs=knobs)
    assert isinstance(verdict, Replan)


def test_young_plan_rests():
    planned = planned_for(Town(seed=1), at=0.0)
    _, verdict = day(Town(seed=2, topics=(4,)), planned, until=1700.0)
    assert isinstance(verdict, Keep)
    assert "and rests for" in verdict.reason


def test_broken_slo_is_rescued_at_any_price():
    planned = planned_for(Town(seed=1))
    usage = RunningUsage.nothing((LAYERS, EXPERTS))
    town = Town(seed=2, topics=(4,))
    for _ in range(200):
        usage = usage.after(town.request(), planned.shares)

    def propose(routing):
        return Proposal(current_per_hour=1.0, proposed_per_hour=2.0, change=FREE, rescues_slo=True)

    knobs = DriftKnobs(patience_seconds=0)
    verdict, _ = look(Watch(), usage, planned, now=0.0, propose=propose, knobs=knobs)
    assert isinstance(verdict, Replan)
    assert "breaks its SLO" in verdict.reason


def test_few_requests_say_nothing():
    planned = planned_for(Town(seed=1))
    usage = RunningUsage.nothing((LAYERS, EXPERTS))
    verdict, _ = look(Watch(), usage, planned, now=0.0, propose=proposing(planned))
    assert verdict == Keep(reason="only 0 of 30 requests are known")


def profile():
    nothing = Curve.nothing()
    return HardwareProfile(
        name="stated",
        source="a test",
        measured=False,
        module=nothing,
        step=nothing,
        local_expert=ExpertTime.on_one_core(nothing),
        remote_expert=ExpertTime.on_one_core(nothing),
        call=CallTime(mean_seconds=0.0),
        main_start=StartTime(seconds=10.0, bytes_per_second=1e9),
        function_start=StartTime(seconds=1.0, bytes_per_second=1e9),
    )


PRICES = Prices(main_gib_second=1.0, function_gib_second=2.0)


def test_no_change_costs_nothing():
    found = change_between(plan(), plan(), profile=profile(), prices=PRICES)
    assert found == replace(FREE, moved_bytes=0)


def test_experts_that_change_their_function_start_both_anew_and_leave_the_main_model_alone():
    after = plan(function("f0", (4, 6)), function("f1", (5, 7)))
    found = change_between(plan(), after, profile=profile(), prices=PRICES)
    assert found.functions_started == 2
    assert not found.main_restarts
    assert found.moved_bytes == 4 * architecture().expert_bytes
    assert found.cost == pytest.approx(2 * 2.0 * found.seconds)


def test_expert_that_becomes_local_starts_the_main_model_anew():
    after = plan(function("f0", (4,)), function("f1", (6, 7)))
    found = change_between(plan(), after, profile=profile(), prices=PRICES)
    assert found.main_restarts
    assert found.seconds > 10.0
    assert found.cost > 10.0 * plan().main_memory_bytes / GIB


def test_usage_of_another_shape_is_refused():
    usage = RunningUsage.nothing((LAYERS, EXPERTS))
    with pytest.raises(ValueError, match=r"counts must be >= 0 of shape \(4, 16\)"):
        usage.after(np.ones((2, 2)), np.full((LAYERS, EXPERTS), 1 / EXPERTS))


@pytest.mark.parametrize("name", ["noise_times", "patience_seconds", "margin"])
def test_impossible_knobs_are_refused(name):
    with pytest.raises(ValueError, match=f"drift: {name} must be finite and >= 0, got -1"):
        DriftKnobs(**{name: -1})
