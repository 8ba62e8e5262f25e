"""Tables come back from disk as they were written, whole, and with the same bytes."""

import json

import numpy as np
import pytest
from evaluation.table import read_table, write_table
from hypothesis import given
from hypothesis import strategies as st

FACTS = {"command": "python tests/evaluation/x.py --data DATA", "inputs": "nothing", "machine": "m"}
WORD = st.text(st.characters(exclude_characters="\r\0", codec="utf-8"), min_size=1).filter(
    lambda word: not word.replace(".", "").isascii() or word.isalpha()
)
CELL = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORD


def close(cell):
    return pytest.approx(cell, rel=1e-8) if type(cell) is float else cell


@given(st.lists(st.fixed_dictionaries({"a": CELL, "b": CELL}), min_size=1))
def test_rows_come_back_as_they_were(tmp_path_factory, rows):
    words = {"true", "false", "inf"}
    rows = [
        {k: "w" if str(v).lower() in words and type(v) is str else v for k, v in r.items()}
        for r in rows
    ]
    folder = tmp_path_factory.mktemp("tables")
    write_table(folder, "t", rows, **FACTS)
    assert [{k: close(v) for k, v in row.items()} for row in rows] == list(
        read_table(folder, "t").rows
    )


def test_facts_come_back_with_more(tmp_path):
    write_table(tmp_path, "t", [{"a": 1}], profile="measured", seed=7, seconds=1.5, **FACTS)
    table = read_table(tmp_path, "t")
    assert table.facts == FACTS | {"profile": "measured", "seed": 7, "seconds": 1.5}


def test_a_row_that_lacks_a_column_knows_nothing_there(tmp_path):
    write_table(tmp_path, "t", [{"a": 1}, {"b": 2}], **FACTS)
    assert read_table(tmp_path, "t").rows == ({"a": 1, "b": None}, {"a": None, "b": 2})


def test_numpy_scalars_are_numbers_and_nan_is_nothing(tmp_path):
    write_table(tmp_path, "t", [{"a": np.float64(0.5), "b": np.int64(3), "c": np.nan}], **FACTS)
    assert read_table(tmp_path, "t").rows == ({"a": 0.5, "b": 3, "c": None},)


def test_written_twice_it_is_the_same_file(tmp_path):
    for folder in ("one", "two"):
        write_table(tmp_path / folder, "t", [{"a": 1 / 3}], **FACTS)
    for suffix in ("csv", "json"):
        one, two = ((tmp_path / folder / f"t.{suffix}").read_bytes() for folder in ("one", "two"))
        assert one == two


def test_what_cannot_be_written_leaves_the_table_before(tmp_path):
    write_table(tmp_path, "t", [{"a": 1}], **FACTS)
    with pytest.raises(ValueError, match="got list"):
        write_table(tmp_path, "t", [{"a": [2]}], **FACTS)
    assert read_table(tmp_path, "t").rows == ({"a": 1},)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.csv", "t.json"]


def test_a_table_never_written_is_none(tmp_path):
    assert read_table(tmp_path, "t") is None


def test_the_machine_is_named_where_nobody_says_it(tmp_path):
    write_table(tmp_path, "t", [{"a": 1}], command="c", inputs="i")
    assert "cores" in json.loads((tmp_path / "t.json").read_text())["machine"]


def test_a_line_with_a_cell_too_many_is_named(tmp_path):
    write_table(tmp_path, "t", [{"a": 1}], **FACTS)
    (tmp_path / "t.csv").write_text("a\n1,2\n")
    with pytest.raises(ValueError, match="line 2: 2 cells under 1 columns"):
        read_table(tmp_path, "t")
