"""Times between the points that were measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remoe_planner.hardware.curve import Curve
from remoe_planner.hardware.expert_time import ExpertTime

points = st.lists(st.tuples(st.floats(0.5, 100), st.floats(0, 10)), min_size=1, max_size=6).map(
    lambda steps: Curve(
        rows=tuple(np.cumsum([rows for rows, _ in steps]).tolist()),
        seconds=tuple(np.cumsum([seconds for _, seconds in steps]).tolist()),
    )
)


@given(points, st.floats(0, 1e4), st.floats(0, 1e4))
def test_more_rows_never_take_less_time(curve, one, other):
    few, many = sorted((one, other))
    assert curve.at(few) <= curve.at(many) * (1 + 1e-12)


@given(points)
def test_a_curve_goes_through_its_points_and_through_zero(curve):
    assert np.allclose(curve.at(curve.rows), curve.seconds)
    assert curve.at(0) == 0


def test_a_tenth_of_a_row_is_a_row_one_time_in_ten():
    assert Curve.constant(3.0).at(0.1) == pytest.approx(0.3)


def test_beyond_the_last_point_the_last_slope_goes_on():
    assert Curve(rows=(1, 2), seconds=(1, 3)).at(4) == pytest.approx(7)


@pytest.mark.parametrize(
    ("rows", "seconds", "complaint"),
    [
        ((), (), "at least one"),
        ((1.0, 1.0), (1.0, 2.0), "ascending"),
        ((0.0,), (1.0,), "> 0"),
        ((1.0, 2.0), (2.0, 1.0), "not fall"),
        ((1.0,), (float("nan"),), "finite"),
    ],
)
def test_a_curve_that_is_none_is_refused(rows, seconds, complaint):
    with pytest.raises(ValueError, match=complaint):
        Curve(rows=rows, seconds=seconds)


@given(points, st.floats(0.01, 64), st.floats(0.01, 64), st.floats(0.1, 1e3))
def test_more_cores_never_take_more_time(curve, one, other, rows):
    halved = Curve(rows=curve.rows, seconds=tuple(s / 2 for s in curve.seconds))
    time = ExpertTime(cores=(1.0, 2.0), curves=(curve, halved))
    few, many = sorted((one, other))
    assert time.seconds(rows, many) <= time.seconds(rows, few) * (1 + 1e-9)


def test_half_a_core_takes_twice_as_long():
    time = ExpertTime.on_one_core(Curve.constant(2.0))
    assert time.seconds(1, [0.5, 1, 8]).tolist() == pytest.approx([4, 2, 2])
