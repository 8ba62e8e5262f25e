"""`make eval` runs what it is told to, in order, and a script that fails does not stop the rest."""

import pytest
from evaluation.eval import NAMES, SCRIPTS, STEPS, chosen, command, options_of, run_all
from evaluation.page import TABLES


def nothing(_):
    return False


def test_every_table_of_the_page_has_a_step_that_writes_it():
    assert sorted(table for step in STEPS for table in step.tables) == sorted(TABLES)


@pytest.mark.parametrize("name", NAMES)
def test_every_step_has_its_script(name):
    assert (SCRIPTS / f"{name}.py").exists()


def test_named_steps_run_and_skipped_ones_do_not():
    assert [step.name for step in chosen(["day", "ratios"], [], nothing)] == ["ratios", "day"]
    assert [step.name for step in chosen([], [*NAMES[1:]], nothing)] == ["measured"]


def test_a_step_is_kept_only_when_all_its_tables_are_there():
    there = {"day", "ratios"}
    left = [step.name for step in chosen(["day", "ratios"], [], there.__contains__)]
    assert left == ["day"]


def test_data_that_is_not_there_is_refused_before_anything_runs(tmp_path, capsys):
    with pytest.raises(SystemExit):
        options_of(["--data", str(tmp_path / "nowhere")])
    assert "there is no such folder" in capsys.readouterr().err


def test_a_script_gets_the_folders_that_were_given(tmp_path):
    options = options_of(["--data", str(tmp_path), "--out", "o"])
    words = command(STEPS[0], options)
    assert words[words.index("--data") + 1] == str(options.data)
    assert "--model" not in words
    assert "--quick" not in words


def test_a_quick_run_never_goes_to_the_docs():
    with pytest.raises(SystemExit):
        options_of(["--quick"])


def test_a_failure_is_told_and_the_rest_runs():
    ran = []

    def run(words, environment):
        ran.append(words[1])
        return len(ran) == 1

    assert run_all(STEPS[:3], options_of([]), run) == [STEPS[0].name]
    assert len(ran) == 3


def test_only_what_measures_gets_every_core():
    seen = {}

    def run(words, environment):
        seen[words[1]] = environment.get("OMP_NUM_THREADS")
        return 0

    run_all(STEPS[:2], options_of([]), run)
    assert list(seen.values())[1] == "1"
