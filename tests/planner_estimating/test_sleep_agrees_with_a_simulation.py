"""How often parts sleep, against requests drawn one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remoe_planner.estimating.awake import asleep_share, awake_per_request, held_seconds


def simulated(rate, held, start, requests=60_000):
    """(share of the time asleep, seconds awake for each request) of a part that falls asleep."""
    arrivals = np.cumsum(np.random.default_rng(1).exponential(1 / rate, requests))
    awake, begun, ready, until = 0.0, None, 0.0, -1.0
    for at in arrivals.tolist():
        if begun is None or at > until:
            awake += 0.0 if begun is None else until - begun
            begun, ready = at, at + start
        until = max(until, max(at, ready) + held)
    awake += until - begun
    return 1 - awake / arrivals[-1], awake / requests


@pytest.mark.parametrize(
    ("rate", "held", "start"), [(0.1, 5.0, 0.0), (0.1, 5.0, 8.0), (1.0, 2.0, 0.5), (0.01, 1.0, 3.0)]
)
def test_the_formula_agrees_with_drawn_requests(rate, held, start):
    asleep, awake = simulated(rate, held, start)
    assert asleep_share(rate, held, start) == pytest.approx(asleep, abs=0.01)
    assert awake_per_request(rate, held, start) == pytest.approx(awake, rel=0.03)


@given(st.floats(1e-6, 100), st.floats(0, 1e4), st.floats(0, 100))
def test_share_and_seconds_say_the_same(rate, held, start):
    asleep = asleep_share(rate, held, start)
    assert 0 <= asleep <= 1
    assert rate * awake_per_request(rate, held, start) == pytest.approx(1 - asleep, abs=1e-6)


def test_where_nobody_comes_one_request_pays_start_and_holding():
    assert asleep_share(0.0, 60.0, 2.0) == 1
    assert awake_per_request(0.0, 60.0, 2.0) == pytest.approx(62.0)


@given(st.floats(0, 1e4), st.floats(0, 1e3), st.floats(0, 1e3))
def test_a_request_holds_a_function_for_its_span_at_most_and_its_keep_alive(calls, span, keep):
    held = held_seconds(calls, span, keep)
    assert keep <= held * (1 + 1e-12) <= (span + keep) * (1 + 1e-9) + 1e-12


def test_one_call_holds_for_a_keep_alive_alone():
    assert held_seconds(1, 100.0, 60.0) == 60.0
