"""Whether an object is as wanted already: nothing may be written then, and all else must be."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remoe_operator.cluster.comparing import STAMP, contains, is_as_wanted, stamped

NAMES = st.sampled_from("abcd")
SCALARS = st.one_of(st.integers(1, 5), st.sampled_from(["x", "y", "1Gi", "500m"]), st.just(True))
VALUES = st.recursive(
    SCALARS,
    lambda below: st.one_of(st.dictionaries(NAMES, below, max_size=3), st.lists(below, max_size=3)),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, min_size=1, max_size=4)


def manifest(**spec):
    return {"kind": "Thing", "metadata": {"name": "a"}, "spec": spec}


@given(OBJECTS)
def test_every_value_contains_itself(value):
    assert contains(copy.deepcopy(value), value)


@given(OBJECTS, OBJECTS)
def test_what_others_add_is_no_difference(wanted, added):
    live = {f"{name}-other": value for name, value in added.items()} | wanted
    assert contains(live, wanted)


@given(OBJECTS, NAMES)
def test_another_text_is_a_difference(value, name):
    assert not contains(value | {name: "live"}, value | {name: "wanted"})


@pytest.mark.parametrize(
    ("live", "wanted"),
    [
        ("1", "1000m"),
        ("1Gi", "1024Mi"),
        ("500m", 0.5),
        (None, {}),
        (None, []),
        (None, 0),
        (None, False),
        ([{"name": "b", "value": 2}, {"name": "a", "value": 1}], [{"name": "a", "value": 1}]),
    ],
)
def test_the_same_in_other_words_is_no_difference(live, wanted):
    assert contains({"field": live}, {"field": wanted})


@pytest.mark.parametrize(
    ("live", "wanted"),
    [
        ("1Gi", "1G"),
        ("1", "2"),
        (None, "x"),
        ({"a": 1}, {"a": 2}),
        (["--port", "1", "--more"], ["--port", "1"]),
        ([{"verbs": ["get"]}, {"verbs": ["delete"]}], [{"verbs": ["get"]}]),
        ([{"name": "a", "value": 1}], [{"name": "a", "value": 2}]),
        ("text", {"a": 1}),
    ],
)
def test_difference_is_seen(live, wanted):
    assert not contains({"field": live}, {"field": wanted})


def test_field_that_left_the_manifest_is_seen_by_its_stamp():
    before, after = stamped(manifest(a=1, b=2)), stamped(manifest(a=1))
    live = copy.deepcopy(before)
    assert contains(live["spec"], after["spec"])
    assert not is_as_wanted(after, live)
    assert is_as_wanted(before, live)


def test_stamp_leaves_the_manifest_alone_and_keeps_its_annotations():
    given_manifest = manifest(a=1)
    given_manifest["metadata"]["annotations"] = {"kept": "yes"}
    before = copy.deepcopy(given_manifest)
    made = stamped(given_manifest)
    assert given_manifest == before
    assert made["metadata"]["annotations"]["kept"] == "yes"
    assert made["metadata"]["annotations"][STAMP]
