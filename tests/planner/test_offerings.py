"""What can be rented, and what is asked of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from remoe_planner.demand.routing import inclusion
from remoe_planner.demand.slo import Slo
from remoe_planner.demand.workload import Workload
from remoe_planner.memory import GIB
from remoe_planner.offerings import MemoryGrid, Offerings


@given(st.integers(1, 500), st.integers(0, 500), st.integers(1, 100), st.floats(0, 1200))
def test_the_size_taken_is_the_smallest_that_holds(least, more, step, needed):
    grid = MemoryGrid(least_bytes=least, most_bytes=least + more, step_bytes=step)
    enough = grid.sizes[grid.sizes >= needed]
    assert grid.at_least(needed) == (enough[0] if len(enough) else None)


def test_memory_buys_cores_up_to_a_bound():
    offered = Offerings(cores_per_gib=2, max_function_cores=3)
    assert offered.function_cores([GIB, 8 * GIB]).tolist() == [2, 3]


@given(arrays.arrays(np.float64, (3, 6), elements=st.floats(0, 10)), st.integers(1, 6))
def test_a_token_visits_top_k_experts_each_once_at_most(weights, top_k):
    shares = (weights + 1e-3) / (weights + 1e-3).sum(axis=1, keepdims=True)
    visits = inclusion(shares, top_k)
    assert np.all(visits <= 1 + 1e-9)
    assert np.allclose(visits.sum(axis=1), top_k, atol=1e-3)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Slo(ttft_seconds=0), "ttft_seconds must be finite and > 0, got 0"),
        (lambda: Slo(tpot_seconds=float("nan")), "tpot_seconds must be finite"),
        (lambda: Slo(percentile=1), "percentile must be between 0 and 1, got 1"),
        (lambda: Workload(prompt_tokens=0), "prompt_tokens must be >= 1, got 0"),
        (lambda: Workload(prompt_tokens=9, max_prompt_tokens=8), "max_prompt_tokens must be >="),
        (lambda: Workload(requests_per_second=-1), "requests_per_second must be finite and >= 0"),
        (lambda: MemoryGrid(least_bytes=2, most_bytes=1), "most_bytes must be >= least_bytes"),
        (lambda: Offerings(max_replicas=0), "max_replicas must be >= 1, got 0"),
        (lambda: Offerings(max_batch=0), "max_batch must be >= 1, got 0"),
        (lambda: Offerings(main_replicas=0), "main_replicas must be >= 1, got 0"),
        (lambda: Offerings(cores_per_gib=0), "cores_per_gib must be finite and > 0, got 0"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(make, complaint):
    with pytest.raises(ValueError, match=complaint):
        make()
