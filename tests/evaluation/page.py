"""The page of the evaluation, from its tables alone: docs/evaluation.md and its pictures.

    python tests/evaluation/page.py [--tables docs/evaluation] [--out docs/evaluation.md]

A table that was never written is called `not run`. The same tables give the same page.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from evaluation import page_tables, page_words
from evaluation.page_findings import findings
from evaluation.page_format import Column, Row, machines, markdown, notes, origin
from evaluation.page_ratios import at_the_centre, everywhere, lost, with_all_costs
from evaluation.pictures.gallery import PICTURES, draw_pictures
from evaluation.table import Table, read_table

ROOT = Path(__file__).parents[2]
TABLES = (
    "measured", "measured_requests", "measured_timeline", "cold_start", "validation", "likeness",
    "ratios", "omitted", "network", "day", "keep_alive", "ablations", "limit", "gap",
)  # fmt: skip
Tables = Mapping[str, Table]


def page(tables: Tables) -> str:
    """The whole page; tables without rows count as not run."""
    sections = (
        page_words.HEAD,
        in_short(tables),
        page_words.CONTENDERS,
        page_words.MEASURED,
        measured(tables),
        page_words.SIMULATED,
        simulated(tables),
        page_words.LIMIT,
        limit(tables),
        page_words.NOT_SHOWN,
        page_words.AGAIN,
    )
    return "\n\n".join(section.strip() for section in sections) + "\n"


def in_short(tables: Tables) -> str:
    quick = [name for name, table in tables.items() if table.facts.get("quick")]
    warning = (
        f"**Quick runs, whose numbers show nothing: {', '.join(quick)}.**\n\n" if quick else ""
    )
    lines = "\n".join(f"- {line}" for line in findings(tables)) or "Nothing was run yet."
    return f"## 1. In short\n\n{warning}{lines}"


def measured(tables: Tables) -> str:
    return joined(
        "### The same prompts, one contender after the other",
        shown(tables, "measured", page_tables.MEASURED, "contender"),
        picture(tables, "measured_requests"),
        "### Memory and functions over time",
        picture(tables, "measured_timeline"),
        "### Cold start by phase",
        cold_start(tables),
        "### Does the simulator say the same?",
        shown(tables, "validation", page_tables.VALIDATION, "contender"),
    )


def cold_start(tables: Tables) -> str:
    table = tables.get("cold_start")
    if table is None:
        return not_run("cold_start")
    return joined(
        "Medians of each phase, in seconds:",
        page_tables.phases(table.rows),
        picture(tables, "cold_start"),
        notes(table.rows, "phase"),
        origin(table),
    )


def simulated(tables: Tables) -> str:
    return joined(
        "\n".join(f"- **{name}**: {told}." for name, told in machines(tables.values()).items()),
        "### How like resampled routing is to its source",
        "Shares of assignments, and divergences (Jensen and Shannon's) of where they go:",
        shown(tables, "likeness", page_tables.LIKENESS, "model"),
        "### What Remoe saves, against whom",
        savings(tables),
        "### With what the paper omits",
        omitted(tables),
        "### The network between",
        network(tables),
        "### A day of requests",
        shown(tables, "day", page_tables.DAY, "contender"),
        "### How long to keep alive",
        shown(tables, "keep_alive", page_tables.KEEP_ALIVE, "contender", rows=False),
        "### What each part is worth",
        shown(tables, "ablations", page_tables.ABLATIONS, "ablation"),
    )


def savings(tables: Tables) -> str:
    """Cost of work alone, as the paper counts it, over the three sweeps."""
    table = tables.get("ratios")
    if table is None:
        return not_run("ratios")
    return joined(
        "Cost of work at the point that all sweeps share; † breaks the SLO there, ‡ Remoe does:",
        at_the_centre(table),
        "Least … most (median) over all points at which both keep the SLO:",
        everywhere(table),
        *(picture(tables, name) for name in ("ratios", "prices", "slo")),
        "#### Where it does not win",
        lost(table),
        notes(table.rows, "contender"),
        origin(table),
    )


def omitted(tables: Tables) -> str:
    table = tables.get("omitted")
    if table is None:
        return not_run("omitted")
    return joined(
        "What Remoe saves for work alone → with cold starts, idle seconds, fees and the network:",
        with_all_costs(table),
        picture(tables, "omitted"),
        notes(table.rows, "contender"),
        origin(table),
    )


def network(tables: Tables) -> str:
    table = tables.get("network")
    if table is None:
        return not_run("network")
    return joined(picture(tables, "network"), notes(table.rows, "contender"), origin(table))


def limit(tables: Tables) -> str:
    requests = tables.get("limit")
    return joined(
        shown(tables, "gap", page_tables.GAP, "step"),
        not_run("limit") if requests is None else notes(requests.rows, "model"),
        "" if requests is None else origin(requests),
    )


def shown(
    tables: Tables, name: str, columns: Sequence[Column], by: str, *, rows: bool = True
) -> str:
    """A table with its picture, its notes and its origin; without rows, only in the picture."""
    table = tables.get(name)
    if table is None:
        return not_run(name)
    return joined(
        markdown(columns, _with_profile(table)) if rows else "",
        picture(tables, name),
        notes(table.rows, by),
        origin(table),
    )


def _with_profile(table: Table) -> Iterable[Row]:
    """Every row says whether it is measured or stated: the table's word where it has none."""
    word = str(table.facts.get("profile") or "").partition(":")[0]
    return [{**row, "profile": row.get("profile") or word or None} for row in table.rows]


def picture(tables: Tables, name: str) -> str:
    one = PICTURES.get(name)
    if one is None:
        return ""
    return f"![{one.alt}](evaluation/{name}.svg)" if one.table in tables else not_run(one.table)


def not_run(name: str) -> str:
    return f"Not run (`{name}.csv` is not there)."


def joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def read_tables(folder: Path) -> dict[str, Table]:
    found = {name: read_table(folder, name) for name in TABLES}
    return {name: table for name, table in found.items() if table is not None and table.rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tables", type=Path, default=ROOT / "docs" / "evaluation")
    parser.add_argument("--out", type=Path, help="the page (TABLES.md)")
    parser.add_argument("--no-pictures", action="store_true", help="leave pictures as they are")
    options = parser.parse_args()
    tables = read_tables(options.tables)
    if not options.no_pictures:
        draw_pictures(tables, options.tables)
    out = options.out or options.tables.with_suffix(".md")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page(tables), "utf-8")
    print(f"{out}: {', '.join(tables) or 'no tables'}")


if __name__ == "__main__":
    main()
