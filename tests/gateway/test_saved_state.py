"""What was learned is saved whole or not at all, and taken back only where it belongs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gateway.conftest import plan
from gateway.learning import SALT, SHAPE, WORDS, experts_of, learner, prompts
from hypothesis import given
from hypothesis import strategies as st

from remoe_functions.gateway.forecaster_state import (
    StateError,
    StateKind,
    load_state,
    save_state,
    state_path,
)
from remoe_functions.gateway.learner import LearnerKnobs
from remoe_functions.gateway.scoreboard import Score, Scoreboard
from remoe_planner.forecasting.outlook import Basis
from remoe_planner.forecasting.shape import RoutingShape

KIND = StateKind.of(plan().architecture, WORDS, SALT)


def test_restored_learner_forecasts_as_the_saved_one_where_contexts_came_twice(tmp_path):
    made = learner(20)
    for tokens in prompts(20):
        made.learn((*tokens, 1), experts_of((*tokens, 1)))
    save_state(tmp_path, KIND, made.state())
    again = learner()
    again.restore(load_state(state_path(tmp_path, "r1"), KIND))
    for tokens in prompts(5):
        now, then = again.forecast(tokens), made.forecast(tokens)
        assert np.allclose(now.frequencies, then.frequencies)
    assert (again.learned, again.fitted_on) == (40, 0)


def test_nothing_that_only_one_place_ever_said_is_saved():
    made = learner()
    made.learn((1, 2, 3), experts_of((1, 2, 3)))
    made.learn((1, 2, 9), experts_of((1, 2, 9)))
    state = made.state()
    # Of the pairs, the beginning and (1, 2) came twice; (2, 3) and (2, 9) once.
    assert len(np.unique(state["tables.pair.keys"])) == 2
    assert len(np.unique(state["tables.triple.keys"])) == 2


def test_recent_prompts_are_no_part_of_the_state():
    made = learner(3)
    assert made.recent == 3
    again = learner()
    again.restore(made.state())
    assert (again.recent, again.learned) == (0, 3)


def test_missing_state_is_none(tmp_path):
    assert load_state(state_path(tmp_path, "r1"), KIND) is None


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    directory = tmp_path_factory.mktemp("saved")
    save_state(directory, KIND, learner(3).state())
    return state_path(directory, "r1")


@given(st.data())
def test_state_changed_or_cut_anywhere_is_damaged(saved, tmp_path_factory, data):
    whole = bytearray(saved.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        del whole[place:]
    else:
        whole[place] ^= data.draw(st.integers(1, 255))
    spoiled = saved.with_name("spoiled")
    spoiled.write_bytes(whole)
    with pytest.raises(StateError, match="damaged"):
        load_state(spoiled, KIND)


@pytest.mark.parametrize(
    "change",
    [
        {"revision": "r9"},
        {"layers": 3},
        {"experts": 8},
        {"top_k": 2},
        {"words": "other"},
        {"salt": "other"},
        {"version": 99},
    ],
)
def test_state_of_another_kind_is_refused_by_name(saved, change):
    (name,) = change
    with pytest.raises(StateError, match=f"of another {name}"):
        load_state(saved, replace(KIND, **change))


def test_state_of_another_shape_is_refused_by_the_learner():
    other = learner(shape=RoutingShape(layers=2, experts=8, top_k=1))
    with pytest.raises(ValueError, match="must be"):
        other.restore(learner(3).state())


def test_states_of_other_revisions_and_drafts_of_the_dead_are_dropped(tmp_path):
    other = replace(KIND, revision="old")
    save_state(tmp_path, other, learner(1).state())
    state_path(tmp_path, "r1").with_name("x.forecaster.1.draft").write_bytes(b"half")
    save_state(tmp_path, KIND, learner(1).state())
    assert [path.name for path in tmp_path.iterdir()] == [state_path(tmp_path, "r1").name]


def test_state_is_for_its_owner_alone(saved):
    assert saved.stat().st_mode & 0o077 == 0


_SAVING = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from gateway.learning import learner
from gateway.test_saved_state import KIND
from remoe_functions.gateway.forecaster_state import save_state
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
states = [learner(count).state() for count in (2, 30)]
directory = Path({directory!r})
save_state(directory, KIND, states[0])
print("begun", flush=True)
if {full}:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
while True:
    for state in states:
        save_state(directory, KIND, state)
"""


def saving(directory, *, full=False):
    program = _SAVING.format(
        tests=str(Path(__file__).parent.parent), directory=str(directory), full=full
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    return process


def test_killed_amid_saving_there_is_still_a_whole_state(tmp_path):
    process = saving(tmp_path)
    for _ in range(20):
        time.sleep(0.01)
        assert load_state(state_path(tmp_path, "r1"), KIND) is not None
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    assert int(load_state(state_path(tmp_path, "r1"), KIND)["counts"][0]) in (2, 30)


def test_full_disk_keeps_the_state_that_was_there(tmp_path):
    process = saving(tmp_path, full=True)
    said = process.communicate(timeout=20)[1]
    assert "File too large" in said
    assert int(load_state(state_path(tmp_path, "r1"), KIND)["counts"][0]) == 2
    assert len(list(tmp_path.iterdir())) == 1


def test_scores_survive_their_arrays_and_drift_is_told():
    board = Scoreboard()
    for number in range(60):
        board.add(score(expected=0.01, divergence=0.02, tokens=number))
    again = Scoreboard.restored(board.arrays())
    assert again.latest(60) == board.latest(60)
    assert board.drift == pytest.approx(2.0)
    board.fitted_anew()
    assert board.drift is None
    assert board.usual(Basis.CONTEXT) == pytest.approx(0.02)
    assert board.usual(Basis.MEAN) is None


def score(**fields):
    return Score(
        **{
            "at": 1.0,
            "basis": Basis.CONTEXT,
            "tokens": 5,
            "known": 1.0,
            "expected": 0.1,
            "divergence": 0.1,
            "by_mean": 0.2,
            "by_similar": 0.2,
        }
        | fields
    )


def test_recent_prompts_stay_within_their_bound():
    made = learner(knobs=LearnerKnobs(recent_bytes=1 << 20))
    long = tuple(range(300)) * 100
    for number in range(8):
        tokens = (number, *long)
        made.learn(tokens, experts_of(tokens))
    assert made.recent < 8
    assert made._recent.nbytes <= 1 << 20
    assert made.learned == 8


def test_routing_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="experts must"):
        learner().learn((1, 2), np.zeros((2, 5, 1), np.uint8))
    with pytest.raises(ValueError, match=r"experts must have 1\.\.2 rows"):
        learner().learn((1, 2), np.zeros((3, SHAPE.layers, 1), np.uint8))
