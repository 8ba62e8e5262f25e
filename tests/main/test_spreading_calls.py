"""However pairs are split over calls, each is sent exactly once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from remoe_functions.main.spread import Pairs, chunks, spread_over_replicas


def pairs_of(experts):
    count = len(experts)
    return Pairs(
        rows=np.arange(count) // 2,
        experts=np.array(experts, dtype=np.int64),
        weights=np.arange(count, dtype=np.float32),
    )


SOME = st.lists(st.integers(0, 9), min_size=1, max_size=60).map(pairs_of)


@given(pairs=SOME, replicas=st.integers(1, 5))
def test_every_pair_goes_to_one_replica_and_every_expert_too(pairs, replicas):
    parts = spread_over_replicas(pairs, replicas)
    assert sorted(w for part in parts for w in part.weights) == sorted(pairs.weights)
    homes = [set(part.experts) for part in parts]
    assert sum(map(len, homes)) == len(set(pairs.experts))


@given(pairs=SOME, replicas=st.integers(1, 5))
def test_the_fullest_replica_is_within_the_published_bound(pairs, replicas):
    parts = spread_over_replicas(pairs, replicas)
    largest = np.bincount(pairs.experts).max()
    least = max(largest, len(pairs) / replicas)
    assert max(map(len, parts)) <= least + largest * (1 - 1 / replicas)


@given(pairs=SOME, most=st.integers(1, 40))
def test_chunks_keep_every_pair_and_the_row_limit(pairs, most):
    parts = list(chunks(pairs, most))
    assert sorted(w for part in parts for w in part.weights) == sorted(pairs.weights)
    assert all(len(np.unique(part.rows)) <= most for part in parts)
