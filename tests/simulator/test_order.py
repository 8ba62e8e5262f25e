"""A day depends on its requests and its seed, and on nothing else."""

from builders.estimating_world import machine
from builders.simulated_days import contender, request
from hypothesis import given, settings
from hypothesis import strategies as st

from remoe_planner.demand.slo import Slo
from remoe_planner.hardware.profile import CallTime
from remoe_simulator.agenda import Agenda, Event, Happening
from remoe_simulator.contender import Waking
from remoe_simulator.simulate import simulate

LUCKY = machine(call=CallTime(mean_seconds=3e-4, deviation_seconds=1e-4, main_seconds=5e-5))


def service(**changes):
    return contender(
        remote=6,
        profile=LUCKY,
        waking=Waking.FORECAST,
        slo=Slo(tpot_seconds=0.01),
        main_keep_alive_seconds=5.0,
        **changes,
    )


def crowd():
    return [
        request(f"{n}{at}", at, seed=ord(n), steps=20, forecast=True)
        for at in (0.0, 1.0, 40.0)
        for n in "abcd"
    ]


def test_the_same_seed_gives_the_same_day():
    assert simulate(service(), crowd(), seed=3) == simulate(service(), crowd(), seed=3)


def test_another_seed_gives_another_day():
    assert simulate(service(), crowd(), seed=3) != simulate(service(), crowd(), seed=4)


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_who_of_those_at_one_moment_is_named_first_does_not_matter(random):
    requests = crowd()
    random.shuffle(requests)
    requests.sort(key=lambda request: request.arrival_seconds)
    assert simulate(service(), requests) == simulate(service(), crowd())


def test_requests_may_be_drawn_as_they_are_needed():
    drawn = []

    def stream():
        for each in crowd():
            drawn.append(each.name)
            yield each

    assert simulate(service(), stream()) == simulate(service(), crowd())
    drawn.clear()
    simulate(service(), stream(), horizon_seconds=0.5)
    assert len(drawn) < len(crowd())


def test_a_requests_luck_is_its_own():
    """Alone on a machine, it takes the same time whoever came long before."""
    kept = {"min_replicas": 1}
    given = {"remote": 6, "profile": LUCKY, "knobs": kept}
    late = request("late", 100.0, seed=9, steps=20)
    alone = simulate(contender(**given), [late]).served[0]
    after = simulate(contender(**given), [request("early", seed=8, steps=20), late]).served[1]
    assert abs(alone.tpot_seconds - after.tpot_seconds) < 1e-12


EVENTS = st.builds(
    Event,
    st.sampled_from([0.0, 1.0, 2.5]),
    st.sampled_from(Happening),
    st.sampled_from(["", "a", "b"]),
    st.integers(0, 2),
)


@given(st.lists(EVENTS), st.randoms(use_true_random=False))
def test_events_happen_in_one_order_whoever_wrote_them_down_first(events, random):
    def taken(given):
        agenda = Agenda()
        for event in given:
            agenda.put(event.at_seconds, event.kind, event.name, replicas=event.replicas)
        return [agenda.take() for _ in given]

    shuffled = list(events)
    random.shuffle(shuffled)
    assert taken(events) == taken(shuffled) == sorted(events)


def test_what_is_written_down_for_the_past_happens_now():
    agenda = Agenda()
    agenda.put(5.0, Happening.TURN)
    agenda.take()
    agenda.put(1.0, Happening.TURN)
    assert agenda.take() == Event(5.0, Happening.TURN)
    assert agenda.take() is None
