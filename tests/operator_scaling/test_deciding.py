"""How many replicas there ought to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remoe_operator.scaling.activity import Activity
from remoe_operator.scaling.deciding import Limits, PartLoad, Sample, decide

IDLE = Activity(in_flight=0, waiting=0, idle_seconds=100.0, ready=True)
BUSY = Activity(in_flight=3, waiting=0, idle_seconds=0.0, ready=True)
LOADING = Activity(in_flight=0, waiting=0, idle_seconds=0.0, ready=False)
LIMITS = Limits(least=0, most=4, per_replica=2, idle_seconds=60.0)


def lasting(load, seconds=100.0):
    return tuple(Sample(seconds=second, load=load) for second in (0.0, seconds / 2, seconds))


@pytest.mark.parametrize(
    ("replicas", "pods", "limits", "expected"),
    [
        (1, [IDLE], LIMITS, 0),
        (2, [IDLE, IDLE], LIMITS, 0),
        (2, [IDLE, IDLE], Limits(least=1, most=4, per_replica=2, idle_seconds=60), 1),
        (0, [], Limits(least=2, most=4, per_replica=2, idle_seconds=60), 2),
        (0, [], LIMITS, None),
        (1, [BUSY], LIMITS, 2),
        (1, [None], LIMITS, None),
        (1, [], LIMITS, None),
        (1, [LOADING], LIMITS, None),
        (2, [IDLE, LOADING], LIMITS, None),
        (2, [IDLE, None], LIMITS, None),
        (1, [IDLE], Limits(least=0, most=4, per_replica=2, idle_seconds=101), None),
        (1, [IDLE, IDLE], LIMITS, None),
    ],
)
def test_known_cases(replicas, pods, limits, expected):
    assert decide(PartLoad(replicas=replicas, pods=tuple(pods)), limits) == expected


def test_light_load_on_many_replicas_is_gathered_once_it_has_lasted():
    light = Activity(in_flight=1, waiting=0, idle_seconds=0.0, ready=True)
    resting = Activity(in_flight=0, waiting=0, idle_seconds=5.0, ready=True)
    part = PartLoad(replicas=2, pods=(light, resting), window=lasting(1))
    assert decide(part, LIMITS) == 1
    short = PartLoad(replicas=2, pods=(light, resting), window=lasting(1, seconds=30.0))
    assert decide(short, LIMITS) is None
    both_busy = PartLoad(replicas=2, pods=(light, light), window=lasting(2))
    assert decide(both_busy, LIMITS) is None


def test_peak_of_the_last_while_keeps_replicas():
    resting = Activity(in_flight=0, waiting=0, idle_seconds=5.0, ready=True)
    window = (*lasting(0), Sample(seconds=101.0, load=4), Sample(seconds=102.0, load=0))
    assert decide(PartLoad(replicas=2, pods=(resting, resting), window=window), LIMITS) is None


def test_load_has_to_last_where_limits_say_so():
    limits = Limits(least=0, most=4, per_replica=2, idle_seconds=60, steady_seconds=5.0)
    burst = (Sample(seconds=0.0, load=0), Sample(seconds=6.0, load=3))
    assert decide(PartLoad(replicas=1, pods=(BUSY,), window=burst), limits) is None
    assert decide(PartLoad(replicas=1, pods=(BUSY,), window=lasting(3)), limits) == 2


def test_bound_that_was_lowered_takes_unused_replicas_only():
    limits = Limits(least=0, most=1, per_replica=8, idle_seconds=60)
    resting = Activity(in_flight=0, waiting=0, idle_seconds=1.0, ready=True)
    assert decide(PartLoad(replicas=3, pods=(BUSY, resting, BUSY)), limits) == 2
    assert decide(PartLoad(replicas=2, pods=(BUSY, BUSY)), limits) is None


@pytest.mark.parametrize(
    "bad",
    [
        {"least": 2, "most": 1},
        {"least": -1},
        {"most": 0, "least": 0},
        {"per_replica": 0},
        {"idle_seconds": -1.0},
        {"idle_seconds": float("nan")},
    ],
)
def test_limits_that_make_no_sense_are_refused(bad):
    with pytest.raises(ValueError, match="must"):
        Limits(**({"least": 0, "most": 1, "per_replica": 1, "idle_seconds": 1.0} | bad))


ACTIVITIES = st.builds(
    Activity,
    in_flight=st.integers(0, 20),
    waiting=st.integers(0, 20),
    idle_seconds=st.floats(0, 1000),
    ready=st.booleans(),
)
SAMPLES = st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 40)), max_size=8).map(
    lambda pairs: tuple(Sample(seconds=s, load=n) for s, n in sorted(pairs))
)
PARTS = st.builds(
    PartLoad,
    replicas=st.integers(0, 6),
    pods=st.lists(st.none() | ACTIVITIES, max_size=7).map(tuple),
    window=SAMPLES,
)
BOUNDS = st.tuples(st.integers(0, 4), st.integers(0, 4)).map(
    lambda pair: {"least": pair[0], "most": max(pair[0] + pair[1], 1)}
)


@st.composite
def limits(draw):
    return Limits(
        **draw(BOUNDS),
        per_replica=draw(st.integers(1, 8)),
        idle_seconds=draw(st.floats(0, 300)),
        steady_seconds=draw(st.sampled_from([0.0, 5.0])),
    )


@given(PARTS, limits())
def test_nothing_is_woken_but_to_its_least(part, bounds):
    if part.replicas == 0:
        assert decide(part, bounds) in (None, bounds.least)


@given(PARTS, limits())
def test_bounds_hold_where_anything_changes(part, bounds):
    decided = decide(part, bounds)
    if decided is not None:
        assert decided != part.replicas
        assert bounds.least <= decided
        assert decided <= max(bounds.most, part.replicas)


@given(PARTS, limits())
def test_nothing_goes_while_a_replica_loads_or_does_not_answer(part, bounds):
    decided = decide(part, bounds)
    if decided is not None and decided < part.replicas:
        assert len(part.pods) == part.replicas
        assert all(pod is not None and pod.ready for pod in part.pods)


@given(PARTS, limits())
def test_no_more_replicas_go_than_have_nothing_to_do(part, bounds):
    decided = decide(part, bounds)
    if decided is not None and decided < part.replicas:
        unused = sum(pod is not None and not pod.is_busy for pod in part.pods)
        assert part.replicas - decided <= unused


@given(PARTS, limits())
def test_sleep_takes_idleness_of_all_for_long_enough(part, bounds):
    if part.replicas > 0 and decide(part, bounds) == 0:
        assert all(not pod.is_busy and pod.idle_seconds >= bounds.idle_seconds for pod in part.pods)


@given(PARTS, limits())
def test_what_was_decided_is_not_taken_back_at_once(part, bounds):
    decided = decide(part, bounds)
    if decided is not None and decided > part.replicas:
        loading = (None,) * (decided - len(part.pods))
        after = PartLoad(replicas=decided, pods=(*part.pods, *loading), window=part.window)
        again = decide(after, bounds)
        assert again is None or again > decided
