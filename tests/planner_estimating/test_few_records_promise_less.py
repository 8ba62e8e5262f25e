"""Shares told from few requests, and the luck of whoever was least used in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remoe_planner.demand.shrinkage import shrunk_shares


def requests(count, *, seed=0, layers=4, experts=16, tokens=200, own=2.0, skew=1.0):
    """Requests whose shares stray from common ones; the smaller `own`, the further."""
    random = np.random.default_rng(seed)
    common = random.dirichlet(np.full(experts, skew), layers)
    shares = np.array(
        [[random.dirichlet(experts * own * row + 0.01) for row in common] for _ in range(count)]
    )
    shares = shares.reshape(count, layers, experts)
    return random.poisson(shares * tokens).astype(np.uint32)


@given(st.integers(0, 50), st.integers(0, 12), st.floats(0.2, 10))
def test_shares_lie_between_what_was_seen_and_even_ones(seed, count, skew):
    counts = requests(count, seed=seed, skew=skew)
    found = shrunk_shares(counts)
    total = counts.sum(axis=0, dtype=float)
    if count:
        seen = total / total.sum(axis=1, keepdims=True)
        low, high = np.minimum(seen, 1 / 16), np.maximum(seen, 1 / 16)
        assert np.all((found >= low - 1e-12) & (found <= high + 1e-12))
    assert found.sum(axis=1) == pytest.approx(1)


def test_requests_that_agree_are_believed():
    counts = np.repeat(requests(1), 5, axis=0)
    total = counts.sum(axis=0, dtype=float)
    assert shrunk_shares(counts) == pytest.approx(total / total.sum(axis=1, keepdims=True))


def test_nothing_recorded_is_even():
    assert np.all(shrunk_shares(np.zeros((0, 3, 4), np.uint32)) == 0.25)
    assert np.all(shrunk_shares(np.zeros((5, 3, 4), np.uint32)) == 0.25)


def test_experts_that_were_lucky_are_not_promised_to_stay_so():
    promised, naive, came = 0.0, 0.0, 0.0
    for seed in range(30):
        counts = requests(60, seed=seed)
        known, later = counts[:6], counts[6:].sum(axis=0)
        seen = known.sum(axis=0) / known.sum(axis=(0, 2))[:, None]
        rarest = np.argsort(seen, axis=1)[:, :8]
        promised += np.take_along_axis(shrunk_shares(known), rarest, 1).sum()
        naive += np.take_along_axis(seen, rarest, 1).sum()
        came += np.take_along_axis(later / later.sum(axis=1, keepdims=True), rarest, 1).sum()
    assert naive < 0.9 * came
    assert promised == pytest.approx(came, rel=0.05)


def test_many_requests_need_no_more_than_a_bounded_look():
    counts = requests(700)
    total = counts.sum(axis=0, dtype=float)
    seen = total / total.sum(axis=1, keepdims=True)
    assert shrunk_shares(counts) == pytest.approx(seen, abs=0.01)
