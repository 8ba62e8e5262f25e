"""A function that cannot serve says why in a line, and exits with a status of its own."""

from __future__ import annotations

import json
import socket

import pytest
from builders.expert_process import outcome, plan_for, written_plan
from builders.tiny_checkpoints import build

from remoe_functions.expert.arguments import parse


@pytest.fixture(scope="module")
def plan_path(mixtral, tmp_path_factory):
    plan = plan_for(mixtral, served=lambda expert: expert.layer == 0)
    return written_plan(plan, tmp_path_factory.mktemp("plan") / "plan.json")


@pytest.fixture
def taken_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


def assert_refused(found, *words):
    status, stderr = found
    assert status == 2
    assert "Traceback" not in stderr
    for word in words:
        assert word in stderr


def test_unknown_function_is_told_with_the_known_ones(mixtral, plan_path):
    found = outcome(mixtral, plan_path, name="experts-z")
    assert_refused(found, "the plan has no function 'experts-z'; it has experts-a")


@pytest.mark.parametrize(("option", "value"), [("--port", "1"), ("--function", "experts-z")])
def test_reason_is_left_where_the_pod_tells_it(mixtral, plan_path, tmp_path, option, value):
    log = tmp_path / "termination-log"
    log.touch()
    env = {"REMOE_TERMINATION_LOG": str(log), "REMOE_FUNCTION_TOKEN": None}
    _, stderr = outcome(mixtral, plan_path, option, value, **env)
    assert log.read_text() == stderr.strip()
    assert log.read_text().startswith("function experts-")


def test_place_for_last_words_is_never_made(mixtral, plan_path, tmp_path):
    log = tmp_path / "termination-log"
    outcome(mixtral, plan_path, name="experts-z", REMOE_TERMINATION_LOG=str(log))
    assert not log.exists()


def test_missing_plan_and_model_are_named(mixtral, plan_path, tmp_path):
    assert_refused(outcome(mixtral, tmp_path / "none.json"), "none.json: cannot be read")
    assert_refused(outcome(tmp_path / "none", plan_path), "none: no such folder")


@pytest.mark.parametrize("change", ["not JSON", "another version", "a missing field"])
def test_plan_that_is_none_is_refused(mixtral, plan_path, tmp_path, change):
    body = json.loads(plan_path.read_text())
    text = {
        "not JSON": "{",
        "another version": json.dumps(body | {"version": 99}),
        "a missing field": json.dumps({k: v for k, v in body.items() if k != "functions"}),
    }[change]
    (tmp_path / "bad.json").write_text(text)
    assert_refused(outcome(mixtral, tmp_path / "bad.json"), "bad.json: ")


def test_plan_of_other_weights_is_refused(plan_path, tmp_path):
    other = build("mixtral", tmp_path, seed=9)
    assert_refused(outcome(other, plan_path), "the plan is for model", "revision")


def test_token_must_be_set(mixtral, plan_path):
    found = outcome(mixtral, plan_path, REMOE_FUNCTION_TOKEN=None)
    assert_refused(found, "REMOE_FUNCTION_TOKEN must be set")


@pytest.mark.parametrize("option", ["--port", "--metrics-port"])
def test_taken_port_is_told(mixtral, plan_path, taken_port, option):
    assert_refused(outcome(mixtral, plan_path, option, taken_port), "cannot listen", taken_port)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--port", "65536", "port must be in 0..65535"),
        ("--drain-seconds", "-1", "drain_seconds must be in 0..3600"),
        ("--drain-seconds", "nan", "drain_seconds must be in 0..3600"),
        ("--port", "http", "invalid int value"),
    ],
)
def test_option_out_of_bounds_is_named(option, value, words, capsys):
    with pytest.raises(SystemExit) as end:
        parse(["--model", "m", "--plan", "p", "--function", "f", option, value])
    assert end.value.code == 2
    assert words in capsys.readouterr().err


def test_wrong_cpu_share_is_named(mixtral, plan_path):
    status, stderr = outcome(mixtral, plan_path, REMOE_CPUS="many")
    assert status != 0
    assert "REMOE_CPUS must be a number > 0, got 'many'" in stderr
