"""What was recorded and learned can be looked at, and nothing recorded is one readable line."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from remoe_functions.cli.planning import architecture_of
from remoe_functions.gateway.forecaster_state import StateKind, save_state, state_path
from remoe_functions.gateway.learner import Learner
from remoe_functions.gateway.scoreboard import Score, Scoreboard
from remoe_planner.forecasting.outlook import Basis
from remoe_planner.forecasting.shape import RoutingShape

SALT, WORDS = b"0" * 16, np.arange(32)


def learned(folder, architecture):
    """Two prompts learned, and ten forecasts judged."""
    learner = Learner(RoutingShape(layers=2, experts=4, top_k=2), WORDS, SALT)
    for tokens in ((1, 2, 3), (1, 2, 4)):
        learner.learn(tokens, np.tile(np.array([0, 1], np.uint8), (3, 2, 1)))
    board = Scoreboard()
    for number in range(10):
        board.add(
            Score(
                at=float(number),
                basis=Basis.CONTEXT if number % 2 else Basis.SIMILAR_PROMPTS,
                tokens=3,
                known=0.75,
                expected=0.02,
                divergence=0.01,
                by_mean=0.04,
                by_similar=0.03,
            )
        )
    kind = StateKind.of(architecture, WORDS, SALT)
    save_state(folder, kind, learner.state() | board.arrays())


def test_stats_tell_what_was_recorded_and_how_it_foretold(remoe, model, history):
    learned(history, architecture_of(model))
    found = json.loads(remoe("history", "stats", model, "--history", history, "--json").stdout)
    assert (found["requests"], found["distinct_prompts"], found["prompt_tokens"]) == (1, 1, 9)
    assert found["falls_back_to"] == "mean of history"
    assert found["forecaster"]["prompts"] == 2
    assert found["forecasts"] == {
        "judged": 10,
        "by_basis": {"similar prompts": 5, "tokens in context": 5},
        "unknown_tokens": 0.25,
        "expected_divergence": 0.02,
        "divergence": 0.01,
        "divergence_of_vector": 0.03,
        "divergence_of_mean": 0.04,
    }


def test_stats_for_people_say_the_same(remoe, model, history):
    learned(history, architecture_of(model))
    said = remoe("history", "stats", model, "--history", history, "--latest", "4").stdout
    assert "1, of 1 distinct prompts" in said
    assert "The last 4 forecasts" in said
    assert "instead      the prompt's vector 0.0300, mean of history 0.0400" in said


def test_history_without_a_forecaster_says_what_stands_in(remoe, model, history):
    said = remoe("history", "stats", model, "--history", history).stdout
    assert "Nothing learned of tokens yet; tokens never seen fall back to: mean of history" in said


def test_damaged_forecaster_is_told(remoe, model, history):
    state_path(history, architecture_of(model).revision).write_bytes(b"x" * 100)
    found = remoe("history", "stats", model, "--history", history)
    assert found.exit_code == 0
    assert "is damaged" in found.stdout.replace("\n", "")


def test_history_of_another_revision_is_counted_apart(remoe, model, history, tmp_path):
    other = replace(architecture_of(model), revision="another")
    from remoe_functions.cli.history import history_report

    found = history_report(history, other, 10)
    assert (found["requests"], len(found["bytes_by_revision"])) == (0, 1)
    assert found["present_revision"] not in found["bytes_by_revision"]
    assert found["falls_back_to"] == "uniform"


def test_no_history_is_one_line(remoe, model, tmp_path):
    found = remoe("history", "stats", model, "--history", tmp_path / "none")
    assert found.exit_code == 1
    assert found.stderr.startswith("remoe: no history in ")
