"""`remoe plan`: a table for people, JSON for scripts, one line for what cannot be."""

import json

from remoe_planner.plan import Plan


def test_plan_shows_parts_and_reasons(remoe, model, history):
    shown = remoe("plan", model, "--history", history, "--functions", 2)
    assert shown.exit_code == 0, shown.output
    assert "experts-1" in shown.stdout
    assert "4 of 8 experts are remote" in shown.stdout
    assert "22.2 % of 18 recorded assignments" in shown.stdout


def test_plan_as_json_is_the_plan(remoe, model, history):
    shown = remoe("plan", model, "--history", history, "--remote-share", 0.25, "--json")
    plan = Plan.from_json(shown.stdout)
    assert [str(e) for e in plan.remote_experts] == ["0/3", "1/3"]


def test_plan_without_a_history_says_so(remoe, model):
    assert "No activations are recorded" in remoe("plan", model).stdout


def test_plan_is_written_to_a_file_and_compared_with_the_next(remoe, model, history, tmp_path):
    file = tmp_path / "plan.json"
    options = ("plan", model, "--history", history)
    remoe(*options, "--remote-share", 0.25, "--functions", 1, "--output", file)
    changes = remoe(*options, "--functions", 1, "--diff", file, "--json")
    assert [m["expert"] for m in json.loads(changes.stdout)["moves"]] == ["0/2", "1/2"]
    shown = remoe(*options, "--functions", 1, "--diff", file)
    assert "2 experts move" in shown.stdout


def test_plan_that_does_not_change_says_so(remoe, model, history, tmp_path):
    file = tmp_path / "plan.json"
    options = ("plan", model, "--history", history)
    remoe(*options, "--output", file)
    assert "Nothing changes." in remoe(*options, "--diff", file).stdout


def test_paper_grouping_is_an_option(remoe, model):
    plan = Plan.from_json(remoe("plan", model, "--group-by", "layer", "--json").stdout)
    assert [f.name for f in plan.functions] == ["layer-0", "layer-1"]


def failed(result):
    """The one line on stderr of a command that failed as it should."""
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("remoe: ")
    return line


def test_missing_model_is_one_line(remoe, tmp_path):
    assert "none does not exist; a model is" in failed(remoe("plan", tmp_path / "none"))


def test_folder_that_is_no_checkpoint_is_one_line(remoe, tmp_path):
    assert "config.json" in failed(remoe("plan", tmp_path))


def test_truncated_checkpoint_is_one_line(remoe, model):
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    assert "model.safetensors" in failed(remoe("plan", model))


def test_unsupported_architecture_is_named_in_one_line(remoe, model):
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"model_type": "gpt2"}))
    assert "gpt2" in failed(remoe("plan", model))


def test_earlier_plan_that_is_none_is_one_line(remoe, model, tmp_path):
    (tmp_path / "x.json").write_text("{}")
    assert "cannot use the plan" in failed(remoe("plan", model, "--diff", tmp_path / "x.json"))


def test_earlier_plan_of_another_model_is_one_line(remoe, model, tmp_path):
    file = tmp_path / "plan.json"
    remoe("plan", model, "--output", file)
    body = json.loads(file.read_text())
    body["architecture"]["revision"] = "other"
    file.write_text(json.dumps(body))
    assert "at revision other" in failed(remoe("plan", model, "--diff", file))


def test_output_that_cannot_be_written_is_one_line(remoe, model, tmp_path):
    assert "No such file" in failed(remoe("plan", model, "--output", tmp_path / "no" / "plan.json"))


def test_share_out_of_bounds_is_refused_with_the_bounds(remoe, model):
    result = remoe("plan", model, "--remote-share", 1.5)
    assert result.exit_code == 2
    assert "--remote-share" in result.stderr
    assert "less than or equal to 1" in result.stderr
