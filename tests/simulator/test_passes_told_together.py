"""The vectorised sums against plain ones, and against the product's own spreading."""

from itertools import pairwise

import numpy as np
import pytest
from builders.estimating_world import architecture, machine
from builders.simulated_days import PRICES, plan
from hypothesis import given, settings
from hypothesis import strategies as st

from remoe_functions.main.spread import Pairs, spread_over_replicas
from remoe_planner.estimating.placed import Placed
from remoe_planner.hardware.profile import CallTime
from remoe_planner.offerings import Offerings
from remoe_simulator.asked import Asked
from remoe_simulator.pass_clock import PassClock
from remoe_simulator.spread import busiest_part

CALL = CallTime(mean_seconds=1e-3, main_seconds=1e-4, bytes_per_second=1e6)
PROFILE = machine(call=CALL, overlap=0.4, function_cores=3.0)
MODEL = architecture(layers=3, experts=8, top_k=2)


def clock(remote, profile=PROFILE):
    placed = Placed.of(plan(MODEL, remote=remote), Offerings(prices=PRICES))
    return PassClock(placed, profile)


def picks_strategy(steps):
    token = st.permutations(range(8)).map(lambda order: order[:2])
    return st.lists(token, min_size=steps * 3, max_size=steps * 3).map(
        lambda flat: np.array(flat, np.uint16).reshape(steps, 3, 2)
    )


@settings(max_examples=80, deadline=None)
@given(picks_strategy(4), st.integers(0, 8))
def test_many_steps_at_once_are_as_many_single_ones(picks, remote):
    room = clock(remote)
    ready = np.ones(4, np.int64)
    places = room.layout.places_of(picks)
    together = room.work(Asked.of_steps(places, 1), ready)
    for step in range(4):
        alone = room.work(Asked.of_steps(places[step : step + 1], 1), ready)
        assert np.allclose(together.seconds[step], alone.seconds[0])
        assert together.calls[step] == alone.calls[0]
        assert together.calls_in_row[step] == alone.calls_in_row[0]
        assert together.gib_seconds[step] == pytest.approx(alone.gib_seconds[0])
        assert together.functions_of(step).tolist() == alone.functions_of(0).tolist()


@settings(max_examples=80, deadline=None)
@given(picks_strategy(3), st.integers(0, 8), st.lists(st.integers(0, 1), min_size=3, max_size=3))
def test_a_step_is_the_sum_that_one_would_do_by_hand(picks, remote, there):
    """Three requests decoded together; some functions sleep."""
    room, first = clock(remote), 8 - remote
    ready = np.array([1, *there]) if remote else np.ones(1, np.int64)
    places = room.layout.places_of(picks).reshape(1, -1)
    work = room.work(Asked.of_steps(places, 3), ready)
    for layer in range(3):
        experts, rows = np.unique(picks[:, layer], return_counts=True)
        local, busy, called = 0.0, 0.0, []
        for expert, count in zip(experts, rows, strict=True):
            if expert < first or not there[layer]:
                local += float(PROFILE.local_expert.seconds(float(count), 1.0))
            else:
                busy += float(PROFILE.remote_expert.seconds(float(count), 2.0))
                called.append(count)
        if called:
            picked = np.isin(picks[:, layer], experts[experts >= first]).any(axis=1).sum()
            remote_seconds = CALL.mean_seconds + busy + 2 * picked * 128 / CALL.bytes_per_second
            local += CALL.main_seconds
            least = 2 * 128 / CALL.bytes_per_second
        else:
            remote_seconds = least = 0.0
        whole = local + remote_seconds - 0.4 * min(local, remote_seconds)
        # How many tokens' rows travel is expected from counts.
        assert work.seconds[0, layer] == pytest.approx(whole, abs=1e-12 + 2 * least)


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
    st.integers(2, 4),
)
def test_replicas_get_what_the_main_model_gives_them(one, other, replicas):
    rows = np.array([*one, *other])
    seconds = rows * 1e-3
    starts = np.array([0, len(one)])
    whole = np.add.reduceat(seconds, starts)
    found = busiest_part(rows, seconds, starts, np.array([replicas, 1]), whole)
    experts = np.repeat(np.arange(len(one)), one).astype(np.uint16)
    pairs = Pairs(
        rows=np.arange(len(experts), dtype=np.uint32),
        experts=experts,
        weights=np.ones(len(experts), np.float32),
    )
    longest = max(len(part) for part in spread_over_replicas(pairs, replicas))
    assert found[0] == pytest.approx(longest * 1e-3)
    assert found[1] == whole[1]


@given(picks_strategy(1), st.integers(0, 3), st.integers(0, 3), st.integers(0, 8))
def test_stretches_of_layers_are_the_whole_pass(picks, one, other, remote):
    room = clock(remote)
    first, last = sorted((one, other))
    ready = np.ones(4, np.int64)
    asked = Asked.of_steps(room.layout.places_of(picks), 1)
    bounds = [0, first, last, 3]
    parts = [room.work(asked.between(room.layout, a, b), ready) for a, b in pairwise(bounds)]
    whole = room.work(asked, ready)
    assert sum(part.seconds.sum() for part in parts) == pytest.approx(whole.seconds.sum())
    assert sum(int(part.calls[0]) for part in parts) == whole.calls[0]


def test_prompt_counts_and_picks_of_the_same_tokens_ask_the_same():
    room = clock(4)
    picks = np.array([[[0, 5]] * 3, [[5, 7]] * 3], np.uint16)
    rows = np.zeros((3, 8), np.uint16)
    rows[:, 0], rows[:, 5], rows[:, 7] = 1, 2, 1
    chunk = Asked.of_chunk(room.layout, rows, 2)
    steps = Asked.of_steps(room.layout.places_of(picks).reshape(1, -1), 2)
    assert chunk.place.tolist() == steps.place.tolist()
    assert chunk.rows.tolist() == steps.rows.tolist()
