"""Profiles that are saved and read, and those that are none."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from builders.estimating_world import machine
from hypothesis import given
from hypothesis import strategies as st

from remoe_planner.hardware.curve import Curve
from remoe_planner.hardware.expert_time import ExpertTime
from remoe_planner.hardware.fitting import Total, fit_curve
from remoe_planner.hardware.profile import CallTime, HardwareProfile, MainTime, StartTime
from remoe_planner.memory import MemoryModel

ALONE = MainTime(
    module=Curve.constant(1e-4),
    step=Curve.nothing(),
    local_expert=ExpertTime.on_one_core(Curve.constant(1e-4)),
    main_cores=2.0,
)


@pytest.mark.parametrize(
    "changes",
    [{}, {"alone": ALONE}, {"memory": MemoryModel()}, {"function_cores": 3.0, "overlap": 0.25}],
)
def test_a_profile_survives_json(changes):
    profile = machine(**changes)
    assert HardwareProfile.from_json(profile.to_json()) == profile


def broken(**changes):
    return json.dumps(json.loads(machine().to_json()) | changes)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not JSON"),
        ("[]", "not a hardware profile"),
        ("{}", "version"),
        (broken(version=7), "version must be 1, got 7"),
        (broken(module={"rows": [1], "seconds": [float("nan")]}), "finite"),
        (broken(module={"rows": [1]}), "seconds"),
        (broken(overlap=1.5), "overlap must be in 0..1, got 1.5"),
        (broken(overlap=float("nan")), "overlap"),
        (broken(context_seconds=-1), "context_seconds must be finite and >= 0, got -1"),
        (broken(function_cores=0), "function_cores must be finite and > 0, got 0"),
        (broken(prefill_chunk=0), "prefill_chunk must be >= 1, got 0"),
        (broken(speed=3), "speed"),
        (broken(call={"mean_seconds": -1}), "call: mean_seconds"),
        (broken(main_start={"seconds": 1, "bytes_per_second": 0}), "bytes_per_second"),
    ],
)
def test_what_is_no_profile_is_refused_by_its_field(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        HardwareProfile.from_json(text)


def test_a_main_model_alone_takes_its_own_times():
    profile = machine(alone=ALONE)
    assert profile.of_main(functions=True) is profile
    assert profile.of_main(functions=False).module == ALONE.module
    assert profile.of_main(functions=False).main_cores == 2.0


def test_a_stated_profile_says_so_in_its_title():
    assert "stated, not measured" in machine().title
    assert "stated" not in replace(machine(), measured=True).title


def test_a_cold_start_takes_its_weights_with_it():
    assert StartTime(seconds=1.0, bytes_per_second=1e9).of(2e9) == pytest.approx(3.0)


def test_a_call_of_negative_time_is_refused():
    with pytest.raises(ValueError, match="call: deviation_seconds"):
        CallTime(mean_seconds=1.0, deviation_seconds=-1.0)


curves = st.lists(st.floats(1e-5, 1e-2), min_size=3, max_size=3).map(
    lambda steps: Curve(rows=(1, 8, 64), seconds=tuple(np.cumsum(steps).tolist()))
)


@given(curves, st.floats(0, 1e-3), st.integers(0, 5))
def test_a_curve_is_found_again_in_its_sums(curve, unit, seed):
    random = np.random.default_rng(seed)
    totals = []
    for number in range(12):
        rows = random.integers(0, 65, 20).astype(float)
        seconds = float(curve.at(rows).sum() + number * unit)
        totals.append(Total(rows=rows, seconds=seconds, other=(float(number),)))
    found, (other,) = fit_curve(totals, curve.rows)
    assert found.at([1, 8, 30, 64]) == pytest.approx(curve.at([1, 8, 30, 64]), rel=1e-3)
    assert other == pytest.approx(unit, rel=1e-3, abs=1e-7)


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_noise_never_makes_more_rows_faster(seconds):
    totals = [
        Total(rows=np.array([rows]), seconds=taken)
        for rows, taken in zip((1.0, 4.0, 16.0, 64.0), seconds, strict=True)
    ]
    found, _ = fit_curve(totals, (1, 4, 16, 64))
    assert np.all(np.diff(found.seconds) >= 0)


def test_nothing_measured_makes_no_curve():
    with pytest.raises(ValueError, match="at least one measured total"):
        fit_curve([], (1.0,))


def test_a_total_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="must be finite"):
        Total(rows=np.ones(1), seconds=float("nan"))
