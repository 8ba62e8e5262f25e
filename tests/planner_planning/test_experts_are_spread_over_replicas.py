from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remoe_planner.replication.lpt import longest, lpt, lpt_ratio
from remoe_planner.replication.payload import fewest_replicas
from remoe_planner.replication.potential import raise_by_potential
from remoe_planner.replication.worst_case import longest_replica_bound

tasks_of_few_experts = st.lists(
    st.floats(0, 10, allow_nan=False, allow_subnormal=False), min_size=1, max_size=7
)


def least_longest(seconds, replicas):
    """The best of all partitions."""
    partitions = product(range(replicas), repeat=len(seconds))
    return min(
        max(
            sum(t for t, home in zip(seconds, homes, strict=True) if home == z)
            for z in range(replicas)
        )
        for homes in partitions
    )


@given(tasks_of_few_experts, st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_longest_replica_is_within_the_ratio_of_the_best_partition(seconds, replicas):
    found = longest(seconds, lpt(seconds, replicas))

    assert found <= lpt_ratio(replicas) * least_longest(seconds, replicas) + 1e-9


def test_the_ratio_is_reached_by_grahams_instance():
    seconds = [5, 5, 4, 4, 3, 3, 3]

    assert longest(seconds, lpt(seconds, 3)) == 11
    assert least_longest(seconds, 3) == 9
    assert lpt_ratio(3) == pytest.approx(11 / 9)


@given(tasks_of_few_experts, st.integers(1, 4))
def test_every_expert_has_one_replica(seconds, replicas):
    parts = lpt(seconds, replicas)

    assert len(parts) == replicas
    assert sorted(task for part in parts for task in part) == list(range(len(seconds)))


@given(tasks_of_few_experts, st.integers(1, 4), st.floats(0, 1))
def test_worst_case_is_never_below_the_longest_replica(seconds, replicas, call_seconds):
    bound = longest_replica_bound(
        total_seconds=sum(seconds),
        largest_task_seconds=max(seconds),
        replicas=replicas,
        call_seconds=call_seconds,
    )

    assert longest(seconds, lpt(seconds, replicas)) + call_seconds <= bound + 1e-9


def test_payload_takes_as_many_replicas_as_keep_each_call_small():
    seconds = [4.0, 3.0, 2.0, 1.0]
    rows = [40.0, 30.0, 20.0, 10.0]

    assert fewest_replicas(seconds, rows, limit_bytes=None, most=4) == 1
    assert fewest_replicas(seconds, rows, limit_bytes=100, most=4) == 1
    assert fewest_replicas(seconds, rows, limit_bytes=50, most=4) == 2
    assert fewest_replicas(seconds, rows, limit_bytes=40, most=4) == 3
    assert fewest_replicas(seconds, rows, limit_bytes=39, most=4) is None


def test_replicas_go_where_they_are_worth_most_until_the_promise_holds():
    work = np.array([8.0, 2.0, 0.0])

    def seconds(z):
        return float(np.where(work > 0, work / np.maximum(z, 1), 0).sum())

    raised = raise_by_potential(
        np.array([1, 1, 0]),
        most=8,
        cost=lambda z: 0.1 * z,
        worst_seconds=seconds,
        promised_seconds=4.5,
    )
    by_worth = raise_by_potential(
        np.array([1, 1, 0]),
        most=8,
        cost=lambda z: work / np.maximum(z, 1) + 0.5 * z,
        worst_seconds=seconds,
        promised_seconds=None,
    )

    assert seconds(raised) <= 4.5
    assert by_worth.tolist() == [4, 2, 0]


def test_an_impossible_promise_ends_at_the_most_replicas():
    raised = raise_by_potential(
        np.array([1, 0]),
        most=3,
        cost=lambda z: z.astype(float),
        worst_seconds=lambda z: 1.0,
        promised_seconds=0.1,
    )

    assert raised.tolist() == [3, 0]


@pytest.mark.parametrize(("seconds", "replicas"), [([1.0], 0), ([-1.0], 2), ([float("nan")], 2)])
def test_bad_tasks_are_refused(seconds, replicas):
    with pytest.raises(ValueError, match="must be >="):
        lpt(seconds, replicas)
