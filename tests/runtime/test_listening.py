import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remoe_functions.runtime.vitals import Vitals


def _line(**message):
    return json.dumps(message).encode()


def test_phases_and_an_address_are_news_and_heartbeats_are_not():
    vitals = Vitals()
    assert vitals.hear(_line(kind="phase", name="imports", seconds=0.5), 1.0)
    assert vitals.hear(_line(kind="ready", host="::1", port=9), 2.0)
    assert not vitals.hear(_line(kind="activity", in_flight=2, idle_seconds=1.5), 4.0)
    assert vitals == Vitals(
        phases={"imports": 0.5},
        host="::1",
        port=9,
        ready_at=2.0,
        heard_at=4.0,
        idle_since=2.5,
        in_flight=2,
    )


def test_saying_ready_twice_keeps_the_first_moment():
    vitals = Vitals()
    for now in (1.0, 5.0):
        vitals.hear(_line(kind="ready", host="h", port=1), now)
    assert vitals.ready_at == 1.0


@given(st.binary() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps).map(str.encode))
def test_nonsense_on_the_line_changes_nothing(line):
    vitals = Vitals()
    assert not vitals.hear(line, 1.0)
    assert vitals == Vitals()


@pytest.mark.parametrize("kind", ["", "gossip", None])
def test_an_unknown_kind_is_passed_over(kind):
    vitals = Vitals()
    assert not vitals.hear(_line(kind=kind), 1.0)
    assert vitals == Vitals()
