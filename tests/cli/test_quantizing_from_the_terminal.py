"""`remoe quantize` makes a model's experts smaller, and `--experts` serves them."""

import json

import pytest

from remoe_functions.cli.experts_choice import chosen_experts
from remoe_functions.cli.failure import CommandError
from remoe_functions.cli.planning import PlanOptions, architecture_of, make_plan, read_plan
from remoe_functions.cli.serve_folder import RunFolder
from remoe_functions.cli.serve_parts import ServeOptions, parts_of


@pytest.mark.parametrize("bits", [8, 4])
def test_file_is_made_beside_the_model_and_found_by_its_name(remoe, model, bits):
    done = remoe("quantize", model, "--bits", bits, "--json")
    assert done.exit_code == 0
    said = json.loads(done.stdout)
    path = model / f"remoe-experts-q{bits}.safetensors"
    assert (said["file"], said["bytes"]) == (str(path), path.stat().st_size)
    assert chosen_experts(str(model), model, f"q{bits}") == path
    shape = architecture_of(model, path)
    assert 0 < 8 * shape.expert_bytes < path.stat().st_size  # eight experts and a header
    assert shape.revision == architecture_of(model).revision


def test_people_are_told_sizes_and_place(remoe, model, tmp_path):
    done = remoe("quantize", model, "--output", tmp_path / "elsewhere")
    assert done.exit_code == 0
    assert f"{tmp_path / 'elsewhere'}: " in done.stdout.replace("\n", "")
    assert chosen_experts(str(model), model, str(tmp_path / "elsewhere")).is_file()


@pytest.mark.parametrize("bits", [0, 3, 16])
def test_other_bits_are_refused_in_one_line(remoe, model, bits):
    done = remoe("quantize", model, "--bits", bits)
    assert done.exit_code == 1
    assert done.stderr == f"remoe: --bits must be 8 or 4, got {bits}\n"


def test_place_that_cannot_be_written_is_told_in_one_line(remoe, model):
    place = model / "config.json" / "experts"
    done = remoe("quantize", model, "--output", place)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"remoe: {place}: cannot be written: ")
    assert done.stderr.count("\n") == 1


def test_serving_experts_that_were_not_made_names_the_command_that_makes_them(remoe, model):
    done = remoe("serve", model, "--experts", "q4", "--port", 0)
    assert done.exit_code == 1
    assert f"`remoe quantize {model} --bits 4` makes them" in done.stderr


def test_serving_experts_of_an_unknown_kind_says_what_is_allowed(remoe, model):
    done = remoe("serve", model, "--experts", "q5", "--port", 0)
    assert done.exit_code == 1
    assert "experts must be stored, q8, q4 or a file made by `remoe quantize`" in done.stderr


def test_stored_experts_need_no_file(model):
    assert chosen_experts(str(model), model, "stored") is None


def test_plan_knows_that_experts_are_smaller(remoe, model, tmp_path):
    remoe("quantize", model, "--bits", 4)
    small = architecture_of(model, chosen_experts(str(model), model, "q4"))
    plans = [
        make_plan(shape, tmp_path / "history", PlanOptions()).plan
        for shape in (architecture_of(model), small)
    ]
    assert plans[1].main_memory_bytes < plans[0].main_memory_bytes
    (tmp_path / "plan.json").write_text(plans[0].to_json())
    with pytest.raises(CommandError, match="make it again with the same --experts"):
        read_plan(tmp_path / "plan.json", small)


def test_main_model_and_functions_are_given_the_file(remoe, model, tmp_path):
    remoe("quantize", model, "--bits", 8)
    path = chosen_experts(str(model), model, "q8")
    shape = architecture_of(model, path)
    plan = make_plan(shape, tmp_path / "history", PlanOptions()).plan
    folder = RunFolder.open(tmp_path / "run")
    try:
        options = ServeOptions(model=model, name="tiny", plan=plan, experts=path)
        parts = parts_of(options, folder, "token", listen_fd=3)
    finally:
        folder.close(keep=False)
    for part in parts[1:]:
        assert part.argv[part.argv.index("--experts") + 1] == str(path.resolve())
    assert "--experts" not in parts[0].argv
