"""The page says what its tables say, all of it, and no more."""

import re

import pytest
from evaluation.page import ROOT, TABLES, page, read_tables
from evaluation.page_format import change, duration, number, saving
from evaluation.page_invented import write_invented
from evaluation.page_points import centre, defeats
from evaluation.page_ratios import at_the_centre, lost
from evaluation.table import Table, write_table

DOCS = ROOT / "docs"
FACTS = {"command": "python tests/evaluation/x.py --data DATA", "inputs": "i", "machine": "m"}
PLACE = {"model": "deepseek-v2-lite", "machine": "paper-server", "routing": "real"}
POINT = {"prompt_tokens": 125, "output_tokens": 200, "price_ratio": 3, "slo_multiple": 1.5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs") / "evaluation"
    write_invented(folder)
    return folder


@pytest.fixture(scope="module")
def tables(folder):
    return read_tables(folder)


def ratios(*rows):
    made = [PLACE | POINT | {"sweep": "slo", "keeps_slo": True} | row for row in rows]
    return Table(name="ratios", rows=tuple(made), facts=FACTS)


def against(name, over, **more):
    return {"contender": name, "cost_over_ours": over} | more


def test_every_section_stands_in_its_order(tables):
    headings = re.findall(r"^## (.+)$", page(tables), re.MULTILINE)
    assert [h for h in headings if h[0].isdigit()] == [
        "1. In short",
        "2. Measured",
        "3. Simulated at paper scale",
        "4. Against the limit",
        "5. What this does not show",
    ]


def test_the_same_tables_give_the_same_page(tables, folder):
    assert page(tables) == page(read_tables(folder))


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_is_missing_is_called_not_run(tables, name):
    without = {key: table for key, table in tables.items() if key != name}
    assert f"Not run (`{name}.csv` is not there)." in page(without)


def test_without_any_table_the_page_says_so():
    assert "Nothing was run yet." in page({})


@pytest.mark.parametrize(
    "name", [n for n in TABLES if n not in ("measured_requests", "measured_timeline")]
)
def test_every_table_names_its_command_and_links_its_columns(tables, name):
    text = page(tables)
    assert f"`python tests/evaluation/{name}.py --data DATA`" in text
    assert f"(evaluation/{name}.csv)" in text


def test_a_quick_run_is_called_worthless(tables, tmp_path):
    assert "Quick runs, whose numbers show nothing" in page(tables)
    write_table(tmp_path, "measured", [{"contender": "CPU"}], **FACTS)
    assert "Quick runs" not in page(read_tables(tmp_path))


def test_tables_tell_measured_rows_from_stated_ones(tables):
    lines = page(tables).splitlines()
    assert any(line.startswith("| CPU | measured |") for line in lines)
    assert any(line.startswith("| GPU | stated |") for line in lines)
    tabular = [line for line in lines if line.startswith(("| contender | p", "| model |"))]
    assert len(tabular) >= 6
    told = ("profile", "who", "bits")  # measured or stated; the other two are of no machine
    assert [line for line in tabular if not any(word in line for word in told)] == []


def test_the_centre_is_the_point_of_every_sweep():
    table = ratios(
        against("MIX", 1.2),
        against("MIX", 1.2, sweep="price"),
        against("MIX", 9.9, sweep="price", price_ratio=20),
    )
    assert [row["cost_over_ours"] for row in centre(table)] == [1.2]


def test_savings_stand_under_the_one_they_are_against():
    table = ratios(against("Remoe", 1), against("MIX", 1.25), against("GPU", 2, keeps_slo=False))
    *_, titles, _, line = at_the_centre(table).splitlines()
    told = dict(zip(titles.split(" | "), line.split(" | "), strict=True))
    assert told["against MIX"] == "20 %"
    assert told["against GPU |"] == "50 % † |"


def test_a_cheaper_one_inside_the_slo_is_a_defeat():
    table = ratios(against("Remoe", 1), against("MIX", 0.9), against("CPU", 1.5))
    assert [row["contender"] for row, _ in defeats(table)] == ["MIX"]
    assert "At 1 of 1 points" in lost(table)


def test_a_cheaper_one_that_breaks_the_slo_is_none():
    table = ratios(against("Remoe", 1), against("CPU", 0.5, keeps_slo=False))
    assert defeats(table) == []
    assert lost(table).startswith("At none of the 1 points")


def test_a_promise_that_only_ours_breaks_is_a_defeat_by_whoever_keeps_it():
    table = ratios(against("Remoe", 1, keeps_slo=False), against("MIX", 1.4))
    assert "1.4 ‡" in lost(table)


def test_a_variant_of_ours_defeats_nobody():
    table = ratios(against("Remoe", 1), against("Remoe, always on", 0.5))
    assert defeats(table) == []


def test_findings_take_their_numbers_from_the_rows():
    table = ratios(against("Remoe", 1), against("MIX", 1.25), against("GPU", 4.0))
    text = page({"ratios": table})
    assert "Remoe costs against MIX: DeepSeek-V2-Lite 20 % less." in text
    assert "reached somewhere against GPU (75 %), and nowhere against MIX (20 %)" in text


@pytest.mark.parametrize(
    ("value", "scale", "text"),
    [
        (0.0414, 1e3, "41.4"),
        (1234567, 1, "1,234,567"),
        (123.7, 1, "124"),
        (0, 1, "0"),
        (2e-5, 1, "0.00002"),
        (3.14159e-9, 1, "0.00000000314"),
        (True, 1, "yes"),
        (False, 1, "**no**"),
        ("word", 1, "word"),
    ],
)
def test_numbers_have_three_digits_that_count(value, scale, text):
    assert number(value, scale) == text


def test_costs_are_told_as_less_and_more():
    assert [change(0.77), change(1.04), change(1.001)] == ["23 % less", "4 % more", "the same"]
    assert [saving(2.0), saving(0.5), duration(90), duration(600)] == [
        "50 %",
        "-100 %",
        "90 s",
        "10 min",
    ]


@pytest.mark.skipif(not (DOCS / "evaluation.md").exists(), reason="the evaluation was never run")
def test_the_page_in_the_tree_is_what_its_tables_give():
    assert (DOCS / "evaluation.md").read_text("utf-8") == page(read_tables(DOCS / "evaluation"))


def test_tables_in_the_tree_name_no_machine_s_folders():
    for path in (DOCS / "evaluation").glob("*.json"):
        assert not re.search(r"(?<![\w.])/(work|tmp|home|root|mnt)\b", path.read_text("utf-8")), (
            path
        )
