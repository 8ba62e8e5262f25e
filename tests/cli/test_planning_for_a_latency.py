"""`remoe plan` with a promise to keep: estimate, alternatives, pictures, and what cannot be."""

import json

import pytest

from remoe_functions.cli.planning import architecture_of
from remoe_planner.hardware.devices import XEON_6348
from remoe_planner.hardware.roofline import roofline
from remoe_planner.method import Method
from remoe_planner.plan import Plan


@pytest.fixture
def profile(tmp_path, model):
    file = tmp_path / "profile.json"
    file.write_text(roofline(architecture_of(model), XEON_6348).to_json())
    return file


def failed(result):
    """The one line on stderr of a command that failed as it should."""
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("remoe: ")
    return line


def test_a_promise_is_kept_and_set_beside_the_alternatives(remoe, model, history, profile):
    shown = remoe(
        *("plan", model, "--history", history, "--profile", profile),
        *("--ttft", "30s", "--tpot", "100ms"),
    )
    assert shown.exit_code == 0, shown.output
    for words in ("TPOT, p95", "all on GPU", "all on CPU", "stated, not measured"):
        assert words in shown.stdout
    assert "cannot be promised" not in shown.stdout


def test_json_is_the_plan_with_its_estimate_and_alternatives(remoe, model, history, profile):
    shown = remoe("plan", model, "--history", history, "--profile", profile, "--json")
    body = json.loads(shown.stdout)
    assert body["feasible"] is True
    assert set(body["alternatives"]) == {"all on GPU", "all on CPU", "experts on CPU"}
    plan = Plan.from_json(shown.stdout)
    assert plan.method is Method.MARGINAL
    assert plan.estimate.latency.tpot_seconds > 0


def test_a_rate_that_nobody_can_serve_is_never_called_kept(
    remoe, model, history, profile, tmp_path
):
    workload = tmp_path / "requests.toml"
    workload.write_text("prompt_tokens = 9\noutput_tokens = 30\nrequests_per_second = 1e6\n")
    asked = ("plan", model, "--history", history, "--profile", profile, "--workload", workload)
    body = json.loads(remoe(*asked, "--json").stdout)
    assert body["feasible"] is False
    assert body["shortfalls"][0].startswith("The main model is asked for")
    load = body["estimate"]["load"]
    assert load["share"] > 1
    more = json.loads(remoe(*asked, "--max-batch", "32", "--json").stdout)["estimate"]["load"]
    assert more["most_requests_per_second"] > load["most_requests_per_second"]
    shown = remoe(*asked).stdout
    assert "load of the main model" in shown
    assert "wait without end" in shown


def test_the_papers_method_is_a_value(remoe, model, history, profile):
    shown = remoe(
        *("plan", model, "--history", history, "--profile", profile),
        *("--method", "printed", "--json"),
    )
    assert Plan.from_json(shown.stdout).method is Method.PRINTED


def test_a_promise_that_cannot_be_kept_says_by_how_much_and_what_can(
    remoe, model, history, profile
):
    shown = remoe("plan", model, "--history", history, "--profile", profile, "--tpot", "1us")
    assert shown.exit_code == 0
    assert "TPOT of" in shown.stdout
    assert "cannot be promised" in shown.stdout
    assert "the best is" in shown.stdout


def test_the_profile_measured_here_is_used_without_being_named(
    remoe, model, history, profile, tmp_path
):
    plain = remoe("plan", model, "--history", history, "--json")
    assert Plan.from_json(plain.stdout).method is Method.LEAST_USED
    (known,) = [tmp_path / "home" / "profile"]
    known.mkdir(parents=True)
    key = _key(model)
    (known / f"{key}.json").write_text(profile.read_text())
    planned = remoe("plan", model, "--history", history, "--json")
    assert Plan.from_json(planned.stdout).method is Method.MARGINAL
    by_use = remoe("plan", model, "--history", history, "--remote-share", 0.5, "--json")
    assert Plan.from_json(by_use.stdout).method is Method.LEAST_USED


def _key(model):
    from remoe_functions.source.source import resolve

    return resolve(str(model)).key


def test_a_promise_without_a_profile_says_how_to_get_one(remoe, model):
    assert "run `remoe profile" in failed(remoe("plan", model, "--tpot", "50ms"))


def test_workload_and_prices_come_from_files(remoe, model, history, profile, tmp_path):
    workload, prices = tmp_path / "w.toml", tmp_path / "p.toml"
    workload.write_text("prompt_tokens = 9\noutput_tokens = 3\nrequests_per_second = 2.0\n")
    prices.write_text('main_gib_second = 1\nfunction_gib_second = 1\ncurrency = "CHF"\n')
    shown = remoe(
        *("plan", model, "--history", history, "--profile", profile),
        *("--workload", workload, "--prices", prices),
    )
    assert "costs in CHF" in shown.stdout, shown.output


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("prompt_tokens = 0", "prompt_tokens must be >= 1, got 0"),
        ("prompt_tokenz = 1", "unknown key prompt_tokenz; allowed: prompt_tokens"),
        ('prompt_tokens = "many"', "prompt_tokens must be a number, got 'many'"),
        ("prompt_tokens = [1]", "prompt_tokens must be a number, got [1]"),
        ("requests_per_second = nan", "requests_per_second must be finite"),
        ("not toml", "cannot use the workload"),
    ],
)
def test_a_workload_that_makes_no_sense_is_one_line(
    remoe, model, profile, tmp_path, text, complaint
):
    file = tmp_path / "w.toml"
    file.write_text(text)
    assert complaint in failed(remoe("plan", model, "--profile", profile, "--workload", file))


def test_a_profile_that_is_none_is_one_line(remoe, model, tmp_path):
    for text in ("{}", "[]", "nonsense", '{"version": 99}'):
        (tmp_path / "x.json").write_text(text)
        line = failed(remoe("plan", model, "--profile", tmp_path / "x.json"))
        assert "cannot use the hardware profile" in line
    assert "no such file" in failed(remoe("plan", model, "--profile", tmp_path / "none.json"))


@pytest.mark.parametrize("text", ["2", "-1s", "0ms", "nans", "1 day", "s"])
def test_a_duration_that_is_none_is_refused_with_examples(remoe, model, text):
    result = remoe("plan", model, f"--tpot={text}")
    assert result.exit_code == 2
    assert "such as 2s, 100ms" in result.stderr.replace("\n", " ").replace("│", "")


def test_plan_and_frontier_are_drawn_the_same_twice(remoe, model, history, profile, tmp_path):
    options = (model, "--history", history, "--profile", profile)
    for stem in ("one", "two"):
        drawn = remoe("plan", *options, "--picture", tmp_path / stem)
        assert f"{stem}.svg" in drawn.stderr, drawn.output
        found = remoe(
            "plan", "frontier", *options, "--points", 3, "--picture", tmp_path / f"{stem}-frontier"
        )
        assert found.exit_code == 0, found.output
    for name in ("", "-frontier"):
        one, two = (tmp_path / f"{stem}{name}.svg" for stem in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
        assert one.with_suffix(".png").stat().st_size > 0


def test_a_tighter_promise_never_costs_less(remoe, model, history, profile, tmp_path):
    found = remoe(
        *("plan", "frontier", model, "--history", history, "--profile", profile),
        *("--points", 5, "--json", "--picture", tmp_path / "f"),
    )
    points = json.loads(found.stdout)["methods"]["this planner"]
    costs = [point["cost_per_request"] for point in points]
    assert costs
    assert costs == sorted(costs, reverse=True)


def test_every_part_of_a_plan_can_be_explained(remoe, model, history, profile, tmp_path):
    file = tmp_path / "plan.json"
    options = (model, "--history", history)
    remoe("plan", *options, "--profile", profile, "--output", file)
    told = remoe("plan", "explain", *options, "--plan", file)
    assert told.exit_code == 0, told.output
    expert = remoe("plan", "explain", *options, "0/3", "--plan", file)
    assert "Expert 0/3 is" in expert.stdout, expert.output
    assert "least used of 4" in expert.stdout
    assert "told where there is a hardware profile" in " ".join(expert.stdout.split())


def test_an_expert_tells_what_moving_it_would_change(remoe, model, history, profile, tmp_path):
    file = tmp_path / "plan.json"
    options = (model, "--history", history)
    remoe("plan", *options, "--remote-share", "0.5", "--output", file)
    asked = ("plan", "explain", *options, "0/3", "--plan", file, "--profile", profile)
    told = " ".join(remoe(*asked).stdout.split())
    assert "Moved" in told, told
    assert "a request under awake billing, TTFT" in told
    assert "No constraint breaks." in told
    tight = " ".join(remoe(*asked, "--tpot", "1us").stdout.split())
    # What the plan misses anyway is no reason against a move.
    assert "No constraint breaks." in tight, tight


def test_what_is_not_in_a_plan_cannot_be_explained(remoe, model, history, profile):
    asked = ("plan", "explain", model, "--history", history, "--profile", profile)
    assert "the model has no expert 9/9" in failed(remoe(*asked, "9/9"))
    assert "no function or binding constraint 'experts-9'" in failed(remoe(*asked, "experts-9"))
