"""Workloads, promises and routing that cannot be meant."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from builders.estimating_world import architecture, routing
from hypothesis import given
from hypothesis import strategies as st

from remoe_planner.activation_history import ActivationHistory
from remoe_planner.demand.routing import Routing, inclusion
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"prompt_tokens": 0}, "prompt_tokens must be >= 1, got 0"),
        ({"prompt_tokens": math.nan}, "prompt_tokens must be >= 1, got nan"),
        ({"output_tokens": -3}, "output_tokens must be >= 1, got -3"),
        ({"max_output_tokens": 5}, r"max_output_tokens must be >= output_tokens \(200\), got 5"),
        ({"requests_per_second": -1}, "requests_per_second must be finite and >= 0, got -1"),
        ({"requests_per_second": math.inf}, "requests_per_second"),
        ({"concurrency": 0.5}, "concurrency must be >= 1, got 0.5"),
        ({"concurrency": math.nan}, "concurrency"),
    ],
)
def test_a_workload_that_cannot_be_names_its_field(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        Workload(**changes)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"ttft_seconds": 0}, "ttft_seconds must be finite and > 0, got 0"),
        ({"tpot_seconds": -0.1}, "tpot_seconds"),
        ({"tpot_seconds": math.nan}, "tpot_seconds"),
        ({"percentile": 1.0}, "percentile must be between 0 and 1, got 1.0"),
        ({"percentile": math.nan}, "percentile"),
    ],
)
def test_a_promise_that_cannot_be_names_its_field(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        Slo(**changes)


SPREAD = routing(architecture(), requests=3)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"prefill": SPREAD.prefill * math.nan}, "prefill must be finite and >= 0"),
        ({"decode": -SPREAD.decode}, "decode must be finite and >= 0"),
        ({"decode": SPREAD.decode * 2}, "decode must sum to 1 in every layer"),
        ({"decode": SPREAD.decode[:2]}, r"decode must be \[layers, experts\], got \(2, 8\)"),
        ({"samples": SPREAD.samples[:, :2]}, r"samples must be \[n, 4, 8\], got \(3, 2, 8\)"),
        ({"sample_tokens": SPREAD.sample_tokens[:1]}, "sample_tokens"),
    ],
)
def test_a_routing_that_cannot_be_names_its_field(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        replace(SPREAD, **changes)


def test_an_empty_history_is_an_even_routing():
    model = architecture()
    empty = Routing.of(ActivationHistory.empty(model.shape, model.hidden_size))
    assert np.all(empty.decode == 1 / model.experts_per_layer)
    assert len(empty.samples) == 0


@given(st.integers(0, 50), st.integers(1, 8), st.floats(0.05, 5))
def test_visits_are_probabilities_and_as_many_as_a_token_picks(seed, top_k, skew):
    shares = np.random.default_rng(seed).dirichlet(np.full(8, skew), 3)
    visits = inclusion(shares, top_k)
    assert np.all((visits >= 0) & (visits <= 1))
    assert visits.sum(axis=1) == pytest.approx(top_k, abs=1e-6)


def test_visits_are_worked_out_once():
    assert SPREAD.visits(2) is SPREAD.visits(2)
