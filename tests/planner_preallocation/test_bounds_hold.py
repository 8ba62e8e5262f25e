"""Bounds on tokens: their laws, and that they hold on prompts that made none of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planner_preallocation.allocation_world import EXPERTS, LAYERS, TOP_K, bounds, prompts, routing

from remoe_planner.demand.routing import Routing
from remoe_planner.preallocation.bound import Bound, Promise, Reach
from remoe_planner.preallocation.choice import token_bounds

HONEST = [Bound.CORRECTED, Bound.SHARE_AWARE, Bound.QUANTILE]
LEARNED = [Bound.SHARE_AWARE, Bound.QUANTILE]
PAST = routing(*prompts(150, seed=1))
SURE = np.linspace(0.5, 0.99, 6)
BOUNDS = {
    (bound, reach): [bounds(bound, PAST, confidence=float(c), reach=reach) for c in SURE]
    for bound in Bound
    for reach in Reach
}

tokens = st.integers(0, 2000)
chosen = st.sampled_from(list(BOUNDS))
quick = settings(max_examples=60, deadline=None)


@quick
@given(chosen, tokens, tokens, st.integers(0, 5))
def test_more_tokens_never_have_a_lower_bound(which, one, other, sure):
    made = BOUNDS[which][sure]
    few, many = sorted((one, other))
    assert np.all(made.at(few).experts <= made.at(many).experts + 1e-6)
    assert np.all(made.at(few).least_used <= made.at(many).least_used + 1e-6)


@quick
@given(chosen, tokens)
def test_more_confidence_never_has_a_lower_bound(which, n):
    singles = np.stack([made.at(n).experts for made in BOUNDS[which]])
    sets = np.stack([made.at(n).least_used for made in BOUNDS[which]])
    assert np.all(np.diff(singles, axis=0) >= -1e-6)
    assert np.all(np.diff(sets, axis=0) >= -1e-6)


@quick
@given(chosen, tokens, st.integers(0, 5))
def test_larger_sets_never_have_a_lower_bound_and_none_has_zero(which, n, sure):
    sets = BOUNDS[which][sure].at(n).least_used
    assert sets.shape == (LAYERS, EXPERTS + 1)
    assert np.all(sets[:, 0] == 0)
    assert np.all(np.diff(sets, axis=1) >= -1e-9)


@quick
@given(st.sampled_from(HONEST), tokens, st.integers(0, 5))
def test_bound_is_never_below_the_mean_it_believes_in(bound, n, sure):
    made = BOUNDS[bound, Reach.EACH][sure]
    share = np.full((LAYERS, EXPERTS), 1 / EXPERTS) if bound is Bound.CORRECTED else PAST.prefill
    mean = np.minimum(share * n * TOP_K, n)
    # The recorded share is smoothed by half a draw for an expert, out of some 18,000.
    assert np.all(made.at(n).experts >= mean * (1 - 1e-3))
    ordered = np.sort(mean, axis=1)
    assert np.all(made.at(n).least_used[:, 1:] >= np.cumsum(ordered, axis=1) * (1 - 1e-3))


@quick
@given(st.sampled_from(HONEST), tokens, st.integers(0, 5))
def test_set_is_bounded_by_what_its_tokens_can_do(bound, n, sure):
    sets = BOUNDS[bound, Reach.EACH][sure].at(n).least_used
    assert np.all(sets <= n * np.minimum(np.arange(EXPERTS + 1), TOP_K) + 1e-9)


@quick
@given(st.sampled_from(HONEST), st.sampled_from(list(Reach)), tokens, st.integers(0, 5))
def test_set_is_never_above_the_sum_of_its_experts(bound, reach, n, sure):
    made = BOUNDS[bound, reach][sure]
    order = np.argsort(PAST.prefill + PAST.decode, axis=1, kind="stable")
    singles = np.take_along_axis(made.at(n).experts, order, axis=1)
    assert np.all(made.at(n).least_used[:, 1:] <= np.cumsum(singles, axis=1) + 1e-6)


@pytest.mark.parametrize("bound", LEARNED)
@pytest.mark.parametrize("alike", [2.0, 20.0])
def test_learned_bounds_keep_their_promise_on_prompts_they_never_saw(bound, alike):
    made = bounds(bound, routing(*prompts(300, seed=3, alike=alike)))
    counts, lengths = prompts(300, seed=4, alike=alike)
    broken = [c > made.at(int(n)).experts for c, n in zip(counts, lengths, strict=True)]
    assert np.mean(broken) <= 0.055


@pytest.mark.parametrize("bound", LEARNED)
def test_promise_for_all_experts_holds_for_all_of_them(bound):
    made = bounds(bound, routing(*prompts(400, seed=5)), reach=Reach.ALL)
    counts, lengths = prompts(400, seed=6)
    broken = [np.any(c > made.at(int(n)).experts) for c, n in zip(counts, lengths, strict=True)]
    assert np.mean(broken) <= 0.08


def test_printed_bound_breaks_its_promise_where_tokens_visit_several_experts():
    made = bounds(Bound.PRINTED, PAST)
    counts, lengths = prompts(200, seed=8)
    broken = [c > made.at(int(n)).experts for c, n in zip(counts, lengths, strict=True)]
    assert np.mean(broken) > 0.1


def test_printed_bound_is_theorem_1_and_corollary_1():
    made = bounds(Bound.PRINTED, PAST, confidence=1 - np.exp(-3))
    assert made.at(128).experts[0, 0] == pytest.approx(np.sqrt(3 * 128) / 2 + 128 / EXPERTS)
    assert made.at(128).least_used[0, 5] == pytest.approx(np.sqrt(3 * 128) / 2 + 5 * 128 / EXPERTS)


def test_corrected_bound_has_hoeffdings_constant_and_the_mean_of_top_k():
    made = bounds(Bound.CORRECTED, PAST, confidence=1 - np.exp(-3))
    assert made.at(128).experts[0, 0] == pytest.approx(np.sqrt(1.5 * 128) + 128 * TOP_K / EXPERTS)
    expected = 2 * np.sqrt(1.5 * 128) + 5 * 128 * TOP_K / EXPERTS
    assert made.at(128).least_used[0, 5] == pytest.approx(expected)


@pytest.mark.parametrize("bound", LEARNED)
def test_rare_experts_have_lower_bounds_than_popular_ones(bound):
    most = bounds(bound, PAST).at(200).experts
    assert np.all(most[np.arange(LAYERS), PAST.prefill.argmin(axis=1)] < most.max(axis=1) / 4)


@pytest.mark.parametrize("bound", LEARNED)
def test_without_history_bounds_are_no_lower_than_an_even_gate_needs(bound):
    empty = np.zeros((0, LAYERS, EXPERTS), np.uint32)
    even = np.full((LAYERS, EXPERTS), 1 / EXPERTS)
    unknown = Routing(
        prefill=even, decode=even, samples=empty, sample_tokens=np.zeros(0, np.uint32)
    )
    made = bounds(bound, unknown)
    assert np.all(made.at(100).experts > 100 * TOP_K / EXPERTS)


@pytest.mark.parametrize("confidence", [0.0, 1.0, -1.0, float("nan")])
def test_impossible_confidence_is_refused(confidence):
    with pytest.raises(ValueError, match="confidence must be between 0 and 1"):
        Promise(confidence=confidence)


def test_negative_tokens_are_refused():
    with pytest.raises(ValueError, match="tokens must be >= 0, got -1"):
        BOUNDS[Bound.QUANTILE, Reach.EACH][0].at(-1)


def test_shares_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"shares must have shape \(3, 8\), got \(3, 4\)"):
        token_bounds(
            Bound.QUANTILE,
            PAST,
            shares=PAST.prefill[:, :4],
            order=np.argsort(PAST.prefill, axis=1),
            top_k=TOP_K,
        )
