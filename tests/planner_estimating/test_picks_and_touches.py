"""Where a token's picks fall, and which functions a request needs at all."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from builders.estimating_world import architecture, least_used, machine, routing
from hypothesis import given
from hypothesis import strategies as st

from remoe_planner.demand.routing import Routing
from remoe_planner.demand.workload import Workload
from remoe_planner.estimating.demanded import picks_of, sampled, touch_probability
from remoe_planner.estimating.given import Given
from remoe_planner.estimating.placed import Placed
from remoe_planner.latency.picks import picks_by_group
from remoe_planner.offerings import Offerings


def enumerated(odds, inside, top_k):
    """Probability of r picks inside, by going through every set of top_k experts."""
    weights = np.zeros(top_k + 1)
    for chosen in combinations(range(len(odds)), top_k):
        weights[len(set(chosen) & inside)] += np.prod([odds[k] for k in chosen])
    return weights / weights.sum()


@given(st.lists(st.floats(0.02, 0.8), min_size=6, max_size=6), st.integers(1, 4))
def test_picks_agree_with_going_through_every_set(chances, top_k):
    visits = np.array([chances])
    groups = np.array([[0, 0, 0, 1, 1, 2]])
    odds = visits[0] / (1 - visits[0])
    found = picks_by_group(visits, groups, 3, top_k)[0]
    for number, inside in enumerate([{0, 1, 2}, {3, 4}, {5}]):
        assert found[number] == pytest.approx(enumerated(odds, inside, top_k), abs=1e-7)


def test_two_picks_of_eight_miss_a_half_in_21_percent():
    found = picks_by_group(np.full((1, 8), 0.25), np.array([[0] * 4 + [1] * 4]), 2, 2)
    assert found[0, 1, 0] == pytest.approx(4 * 3 / (8 * 7))


def test_expected_picks_are_the_visits():
    model = architecture(layers=6, experts=32, top_k=4)
    spread = routing(model, skew=2.0)
    placed = Placed.of(least_used(model, spread, 0.5), Offerings())
    picks = picks_of(placed, spread.visits(4)[1])
    # Odds are taken from the visits as they are, which is right to a few percent.
    expected = (picks.hits * np.arange(5)).sum(axis=1)
    assert expected == pytest.approx(picks.rows.sum(axis=1), abs=0.06)


def recorded(model, rows, tokens):
    even = np.full(model.shape, 1 / model.experts_per_layer)
    samples = np.array(rows, np.uint32)
    lengths = np.full(len(samples), tokens, np.uint32)
    return Routing(prefill=even, decode=even, samples=samples, sample_tokens=lengths)


def one_layer(remote_uses, tokens=10):
    """Requests of `tokens` tokens that use the remote half so often each."""
    model = architecture(layers=1, experts=2, top_k=1)
    rows = [[[used, tokens - used]] for used in remote_uses]
    spread = recorded(model, rows, tokens)
    plan = least_used(model, Routing.even(model), 0.5)
    return Placed.of(plan, Offerings()), spread


def touched(placed, spread, tokens):
    workload = Workload(
        prompt_tokens=tokens - 1, output_tokens=1, max_prompt_tokens=max(tokens, 512)
    )
    demand = Given(spread, workload, machine(), placed.architecture.top_k)
    return touch_probability(placed, demand, sampled(placed, demand.samples))[0]


def test_requests_that_never_needed_a_function_are_counted_as_they_were():
    # Independent draws would say that ten tokens all but surely touch half of the experts.
    placed, spread = one_layer([0] * 15 + [10] * 5)
    assert touched(placed, spread, 10) == pytest.approx(0.25)


def test_a_longer_record_is_thinned_to_the_request():
    placed, spread = one_layer([1] * 20)
    assert touched(placed, spread, 5) == pytest.approx(0.5)


def test_a_shorter_record_is_drawn_on():
    placed, spread = one_layer([0] * 20)
    assert touched(placed, spread, 12) == pytest.approx(1 - 0.5**2)


def test_few_records_are_not_trusted():
    placed, spread = one_layer([0] * 5)
    assert touched(placed, spread, 10) == pytest.approx(1 - 0.5**10)
