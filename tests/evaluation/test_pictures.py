"""Every picture is drawn from its table alone, small, and says which rows it shows."""

import pytest
from evaluation.page import ROOT, read_tables
from evaluation.page_invented import invented
from evaluation.pictures.gallery import PICTURES, draw_pictures, drawn_from
from evaluation.table import Table

pytestmark = pytest.mark.slow

MOST_BYTES = 150_000
TREE = ROOT / "docs" / "evaluation"


def table(name, rows):
    return Table(name=name, rows=tuple(rows), facts={})


@pytest.fixture(scope="module")
def tables():
    return {name: table(name, rows) for name, rows in invented().items()}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_small_and_names_its_rows(tables, name, tmp_path):
    shown = tables[PICTURES[name].table]
    draw_pictures({shown.name: shown}, tmp_path, only=(name,))
    svg = (tmp_path / f"{name}.svg").read_text("utf-8")
    assert len(svg) < MOST_BYTES
    assert drawn_from(shown) in svg
    assert (tmp_path / f"{name}.png").stat().st_size > 0


def test_the_same_rows_give_the_same_picture(tables, tmp_path):
    for folder in ("one", "two"):
        draw_pictures(tables, tmp_path / folder, only=("validation",))
    one, two = ((tmp_path / folder / "validation.svg").read_bytes() for folder in ("one", "two"))
    assert one == two


@pytest.mark.parametrize("name", PICTURES)
def test_rows_that_know_no_figures_leave_a_picture_without_them(tables, name, tmp_path):
    whole = tables[PICTURES[name].table]
    words = ("contender", "model", "machine", "sweep", "situation", "phase", "quantity")
    blank = [{k: v if k in words else None for k, v in row.items()} for row in whole.rows[:3]]
    draw_pictures({whole.name: table(whole.name, blank)}, tmp_path, only=(name,))
    assert (tmp_path / f"{name}.svg").exists()


def test_a_table_that_is_missing_is_not_drawn(tmp_path):
    draw_pictures({}, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_in_the_tree_show_the_rows_in_the_tree(name):
    tables = read_tables(TREE)
    if PICTURES[name].table in tables:
        svg = (TREE / f"{name}.svg").read_text("utf-8")
        assert drawn_from(tables[PICTURES[name].table]) in svg
        assert len(svg) < MOST_BYTES
