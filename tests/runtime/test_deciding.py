from hypothesis import given
from hypothesis import strategies as st

from remoe_functions.runtime.backoff import Backoff
from remoe_functions.runtime.decision import PartView, ReplicaView, decide, next_start_at
from remoe_functions.runtime.part import PartSpec
from remoe_functions.runtime.state import PartKind, ReplicaState

NOW = 1000.0
moments = st.floats(min_value=0, max_value=NOW)
states = st.sampled_from([ReplicaState.STARTING, ReplicaState.READY, ReplicaState.DRAINING])


@st.composite
def specs(draw):
    least = draw(st.integers(0, 2))
    return PartSpec(
        name="echo",
        kind=PartKind.FUNCTION,
        argv=("echo",),
        min_replicas=least,
        max_replicas=max(1, least) + draw(st.integers(0, 2)),
        keep_alive_seconds=draw(st.none() | st.floats(0, 100)),
    )


@st.composite
def replicas(draw, number):
    state = draw(states)
    was_ready = state is not ReplicaState.STARTING
    return ReplicaView(
        id=f"echo-{number}",
        state=state,
        started_at=draw(moments),
        ready_at=draw(moments) if was_ready else None,
        idle_since=draw(st.none() | moments),
        heard_at=draw(st.none() | moments | st.just(NOW)),
        in_flight=draw(st.integers(0, 2)),
        kill_at=draw(moments) if state is ReplicaState.DRAINING else None,
    )


@st.composite
def worlds(draw):
    spec = draw(specs())
    part = PartView(
        desired=draw(st.integers(spec.min_replicas, spec.max_replicas)),
        wanted_at=draw(st.none() | moments),
        failures=draw(st.integers(0, 5)),
        failed_at=draw(st.none() | moments),
        replicas=tuple(draw(replicas(n)) for n in range(draw(st.integers(0, 4)))),
    )
    return spec, part


@given(worlds())
def test_a_replica_with_calls_in_flight_or_starting_is_never_drained(world):
    spec, part = world
    drained = set(decide(spec, part, NOW).drain)
    busy = {r.id for r in part.replicas if r.in_flight or r.state is not ReplicaState.READY}
    assert not drained & busy


@given(worlds())
def test_the_minimum_is_kept(world):
    spec, part = world
    decision = decide(spec, part, NOW)
    assert spec.min_replicas <= decision.desired <= spec.max_replicas
    left = len(part.staying) - len(decision.drain)
    assert left >= min(len(part.staying), spec.min_replicas)


@given(worlds())
def test_no_more_is_started_than_is_wanted(world):
    spec, part = world
    decision = decide(spec, part, NOW)
    after = len(part.staying) - len(decision.drain) + decision.start
    assert decision.start == 0 or after <= decision.desired
    assert not (decision.start and decision.drain)


@given(worlds())
def test_nothing_is_started_during_back_off(world):
    spec, part = world
    decision = decide(spec, part, NOW)
    assert decision.start == 0 or next_start_at(spec, part) <= NOW


@given(worlds())
def test_deciding_again_after_carrying_out_drains_nothing_more(world):
    spec, part = world
    first = decide(spec, part, NOW)
    gone = {*first.drain, *(victim for victim, _ in first.kill)}
    after = PartView(
        desired=first.desired,
        wanted_at=part.wanted_at,
        failures=part.failures,
        failed_at=part.failed_at,
        replicas=tuple(r for r in part.replicas if r.id not in gone),
    )
    if not first.kill:
        assert decide(spec, after, NOW).drain == ()


def _ready(**knobs):
    return ReplicaView(id="echo-1", state=ReplicaState.READY, started_at=0, **knobs)


def _spec(**knobs):
    return PartSpec(name="echo", kind=PartKind.FUNCTION, argv=("echo",), **knobs)


def test_idleness_counts_from_the_latest_of_ready_call_and_wake():
    spec = _spec(keep_alive_seconds=10)
    replica = _ready(ready_at=980, idle_since=985, heard_at=NOW)
    assert decide(spec, PartView(desired=1, replicas=(replica,)), NOW).drain == ("echo-1",)
    woken = PartView(desired=1, wanted_at=995, replicas=(replica,))
    assert decide(spec, woken, NOW).drain == ()


def test_a_replica_without_fresh_heartbeats_cannot_be_told_idle():
    replica = _ready(ready_at=0, heard_at=900)
    assert decide(_spec(), PartView(desired=1, replicas=(replica,)), NOW).drain == ()


def test_a_part_that_never_sleeps_keeps_its_replica():
    replica = _ready(ready_at=0, heard_at=NOW)
    spec = _spec(keep_alive_seconds=None)
    assert decide(spec, PartView(desired=1, replicas=(replica,)), NOW).drain == ()


def test_a_failing_part_that_nobody_asks_for_is_let_sleep():
    part = PartView(desired=1, wanted_at=0, failures=3, failed_at=999)
    assert decide(_spec(), part, NOW).desired == 0
    wanted = PartView(desired=1, wanted_at=990, failures=3, failed_at=900)
    assert decide(_spec(), wanted, NOW).start == 1


@given(st.integers(0, 10_000))
def test_delays_grow_and_stay_bounded(failures):
    backoff = Backoff(first_seconds=0.2, factor=2, max_seconds=30)
    assert 0 <= backoff.delay_seconds(failures) <= backoff.delay_seconds(failures + 1) <= 30
