"""A table of the evaluation on disk: rows in a CSV, what they come from in a JSON beside it.

Raw numbers (seconds, USD, bytes, shares of one) with at most nine digits; the page formats them.
The same rows and facts give the same bytes, and a reader never sees half a table: each file is
replaced at once. What tables mean, and how they look, does not belong here.

    write_table(out, "cold_start", rows, command="python tests/evaluation/measured.py ...",
                inputs="50 prompts of DATA/prompts.jsonl, seed 7", profile="measured", seed=7)
    read_table(out, "cold_start").rows[0]["seconds"]
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

DIGITS = 9
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|[+-]?inf", re.IGNORECASE)
WORDS = {"": None, "true": True, "false": False}


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows with the same columns (None where a row knows nothing), and facts of their making."""

    name: str
    rows: tuple[dict[str, object], ...]
    facts: Mapping[str, object]

    def column(self, name: str) -> list[object]:
        return [row[name] for row in self.rows]

    def where(self, **equal: object) -> list[dict[str, object]]:
        """The rows in which each named column has the given value."""
        return [row for row in self.rows if all(row.get(k) == v for k, v in equal.items())]


def write_table(
    folder: Path,
    name: str,
    rows: Iterable[Mapping[str, object]],
    *,
    command: str,
    inputs: str,
    profile: str = "",
    **more: object,
) -> None:
    """Write `NAME.csv` and `NAME.json`; columns stand in order of first appearance.

    Args:
        folder: made where it is missing.
        name: of both files, without suffix.
        rows: values are str, numbers (numpy's too), bool or None; NaN is None. A string that
            looks like a number is read back as one.
        command: as a user types it, with DATA and MODEL for paths.
        inputs: what went in, in words.
        profile: "measured", or "stated: ..." naming the source, or both.
        more: further facts: `seed`, `seconds`, `note`, `quick=True` for a run that shows nothing;
            `machine` is this one unless given.

    Raises:
        ValueError: a fact or cell holds what cannot be written.
        OSError: the files cannot be written.
    """
    facts = {"command": command, "inputs": inputs, "profile": profile, "machine": this_machine()}
    facts_text = json.dumps({**facts, **more}, indent=2, ensure_ascii=False, default=_plain) + "\n"
    rows_text = as_csv(list(rows))
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / f"{name}.csv", rows_text)
    _replace(folder / f"{name}.json", facts_text)


def read_table(folder: Path, name: str) -> Table | None:
    """The table, or None where it was never written.

    Raises:
        ValueError: a row has other columns than the header, or the facts are no JSON.
    """
    path, facts = folder / f"{name}.csv", folder / f"{name}.json"
    if not (path.exists() and facts.exists()):
        return None
    return Table(
        name=name,
        rows=tuple(_rows(path)),
        facts=json.loads(facts.read_text("utf-8")),
    )


def this_machine() -> str:
    """Processor and cores, in words."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    name = next(names, platform.processor() or platform.machine())
    return f"{name}, {os.cpu_count()} cores"


def as_csv(rows: Sequence[Mapping[str, object]]) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return text.getvalue()


def _rows(path: Path) -> Iterable[dict[str, object]]:
    with path.open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise ValueError(
                f"{path.name}, line {number}: {len(line)} cells under {len(header)} columns"
            )
        yield dict(zip(header, map(_value, line), strict=True))


def _value(cell: str) -> object:
    if cell in WORDS:
        return WORDS[cell]
    if not NUMBER.fullmatch(cell):
        return cell
    return int(cell) if re.fullmatch(r"[+-]?\d+", cell) else float(cell)


def _cell(value: object) -> str:
    value = _plain(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)


def _plain(value: object) -> object:
    """A numpy scalar as Python's own; an enumeration is a str already."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, str | int | float | None):
        return value
    raise ValueError(f"a table holds str, numbers, bool and None, got {type(value).__name__}")


def _replace(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text, "utf-8", newline="\n")
    part.replace(path)
