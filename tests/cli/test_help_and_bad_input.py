"""The command teaches, and what it cannot do it says in one line."""

import os
import subprocess
import sys

import pytest

from remoe_functions.sample_prompts.prompts import PromptFileError, read_prompts, sample_prompts

COMMANDS = (
    *("demo", "demo-model", "serve", "quantize", "record", "plan", "chat", "bench"),
    *("status", "logs"),
)


def script(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "remoe_functions.cli", *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_help_lists_every_command(remoe):
    shown = remoe("--help")
    assert shown.exit_code == 0
    assert all(command in shown.stdout for command in COMMANDS)


def test_no_command_shows_the_help(remoe):
    assert "Commands" in remoe().output


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_shows_an_example(remoe, command):
    shown = remoe(command, "--help")
    assert shown.exit_code == 0
    assert f"remoe {command}" in shown.stdout.split("For example:")[1]


def test_help_loads_nothing_heavy():
    heavy = (
        *("torch", "transformers", "openai", "matplotlib", "fastapi", "huggingface_hub", "numpy"),
        "kubernetes",
    )
    program = (
        "import sys; from remoe_functions.cli.app import app; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert ended.stdout.strip() == "[]", ended.stderr


def test_error_of_the_real_script_is_one_line_and_exit_code_1(tmp_path):
    ended = script("plan", tmp_path / "none")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert len(ended.stderr.strip().splitlines()) == 1
    assert "Traceback" not in ended.stderr


def test_reader_that_goes_away_is_no_error_message(model):
    ended = subprocess.run(
        f"{sys.executable} -m remoe_functions.cli plan {model} --json | true",
        shell=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "remoe:" not in ended.stderr
    assert "Traceback" not in ended.stderr


def failed(result):
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.strip().splitlines()
    return line


@pytest.mark.parametrize("command", [("chat", "Hello"), ("bench", "--requests", "1")])
def test_service_that_is_not_there_is_one_line(remoe, command):
    line = failed(remoe(*command, "--url", "http://127.0.0.1:9/v1"))
    assert line == "remoe: http://127.0.0.1:9/v1 cannot be reached; is `remoe serve` running?"


def test_json_chat_wants_its_question(remoe):
    assert "--json wants the question" in failed(remoe("chat", "--json"))


def test_serve_refuses_a_missing_model(remoe, tmp_path):
    assert "does not exist" in failed(remoe("serve", tmp_path / "none"))


def test_serve_refuses_a_plan_for_another_model(remoe, model, tmp_path):
    file = tmp_path / "plan.json"
    remoe("plan", model, "--output", file)
    file.write_text(file.read_text().replace('"hidden_size": 8', '"hidden_size": 9'))
    assert "is for tiny" in failed(remoe("serve", model, "--plan", file))


@pytest.mark.parametrize("text", ["main_gib_second = -1\nfunction_gib_second = 1", "not toml"])
def test_serve_refuses_a_price_list_it_cannot_use(remoe, model, tmp_path, text):
    (tmp_path / "prices.toml").write_text(text)
    line = failed(remoe("serve", model, "--prices", tmp_path / "prices.toml"))
    assert "cannot use the price list" in line


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe"])
def test_record_refuses_a_file_without_prompts(remoe, model, tmp_path, content):
    (tmp_path / "prompts.txt").write_bytes(content)
    assert "prompts.txt" in failed(remoe("record", model, "--prompts", tmp_path / "prompts.txt"))


def test_prompts_are_lines_or_objects(tmp_path):
    (tmp_path / "a.txt").write_text("One\n\nTwo \n")
    assert [prompt.text for prompt in read_prompts(tmp_path / "a.txt")] == ["One", "Two"]
    (tmp_path / "b.jsonl").write_text('{"text": "One", "kind": "math"}\n{"text": "Two"}\n')
    assert [p.kind for p in read_prompts(tmp_path / "b.jsonl")] == ["math", "given"]


@pytest.mark.parametrize("line", ["[]", "{}", '{"text": 3}', '{"text": ""}', "{", "3"])
def test_object_of_another_form_is_named_by_its_line(tmp_path, line):
    (tmp_path / "b.jsonl").write_text('{"text": "One"}\n' + line + "\n")
    with pytest.raises(PromptFileError, match="line 2"):
        read_prompts(tmp_path / "b.jsonl")


def test_samples_are_many_varied_and_different():
    prompts = sample_prompts()
    assert len(prompts) == len({prompt.text for prompt in prompts}) == 60
    assert len({prompt.kind for prompt in prompts[:8]}) == 8
