"""Section 3's first question: against whom does Remoe save what, and where does it not."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from evaluation.page_format import NOTHING, Row, grid, number, saving
from evaluation.page_points import (
    OURS,
    at,
    centre,
    defeats,
    distinct_points,
    in_time,
    over_ours,
    places,
)
from evaluation.table import Table

MOST_DEFEATS = 12
IDEAL = "Fetch"
FREE = "function per expert"
UNREAL = (IDEAL, FREE)
"""What only a bill of work alone, or nobody at all, can have."""
PLACE = ("model", "machine", "profile", "routing")


def others(table: Table) -> list[str]:
    names = dict.fromkeys(str(row["contender"]) for row in table.rows)
    return [name for name in names if name != OURS]


def at_the_centre(table: Table) -> str:
    """What ours saves against each, by place, at the point that all sweeps go through."""
    rows, names = centre(table), others(table)
    if not rows:
        return "(No point stands in every sweep.)"
    lines = []
    for place in places(rows):
        here = at(rows, place)
        mark = "" if in_time(here, OURS) else " ‡"
        cells = [saving(over_ours(here, n)) + ("" if in_time(here, n) else " †") for n in names]
        lines.append([*_place(here), *[_without(cell) for cell in cells]])
        lines[-1][0] += mark
    return grid([*PLACE, *(f"against {name}" for name in names)], lines)


def everywhere(table: Table) -> str:
    """Least and most saved against each over all points at which both keep the SLO."""
    names, lines = [name for name in others(table) if "," not in name], []
    groups = distinct_points(table)
    for place in places(table.rows):
        here = [rows for (where, _), rows in groups.items() if where == place]
        lines.append([*_place(here[0]), *[_span(here, name) for name in names]])
    return grid([*PLACE, *(f"against {name}" for name in names)], lines)


def _span(groups: Sequence[Sequence[Row]], name: str) -> str:
    fair = [g for g in groups if in_time(g, name) and in_time(g, OURS)]
    found = sorted(over for g in fair if (over := over_ours(g, name)) is not None)
    if not found:
        return NOTHING
    return f"{saving(found[0])} … {saving(found[-1])} ({saving(median(found))})"


def _place(rows: Sequence[Row]) -> list[str]:
    return [str(rows[0].get(name) or NOTHING) for name in PLACE]


def _without(cell: str) -> str:
    return NOTHING if cell.startswith(NOTHING + " ") else cell


def lost(table: Table) -> str:
    """Where another is cheaper inside the SLO, worst first; all of it where it is little."""
    found = defeats(table)
    total = len(distinct_points(table))
    if not found:
        return f"At none of the {total} points is another that keeps the SLO cheaper than Remoe."
    others = [two for two in found if two[0]["contender"] not in UNREAL]
    real = {(r["model"], r["machine"], *_shape(r)) for r, _ in others}
    worst = sorted(others, key=lambda two: float(two[0]["cost_over_ours"]))
    beaten = len({(r["model"], r["machine"], *_shape(r)) for r, _ in found})
    head = (
        f"At {beaten} of {total} points another that keeps the SLO is cheaper than Remoe, or Remoe "
        f"breaks it; {len(real)} of them without counting {IDEAL}, which nobody can build, and "
        f"{FREE}, which keeps thousands of functions warm that nobody pays for here"
    )
    shown = worst[:MOST_DEFEATS]
    head += f". The {len(shown)} worst:" if len(others) > len(shown) else ":"
    titles = [
        "model",
        "machine",
        "prompt : answer",
        "GPU / CPU price",
        "SLO / MIX's",
        "sizes",
        "who",
        "cost / Remoe's",
    ]
    lines = [
        [str(row["model"]), str(row["machine"]), *_shape(row), str(row["contender"]),
         number(row["cost_over_ours"]) + (" ‡" if ours.get("keeps_slo") is False else "")]
        for row, ours in shown
    ]  # fmt: skip
    return f"{head}\n\n{grid(titles, lines)}"


def _shape(row: Row) -> list[str]:
    shape = f"{number(row['prompt_tokens'])} : {number(row['output_tokens'])}"
    return [shape, *(number(row.get(name)) for name in ("price_ratio", "slo_multiple", "grid"))]


def against_the_paper(table: Table, claim: float = 0.57) -> list[str]:
    """Whom the paper's saving is reached against somewhere, and whom nowhere, with the most saved.

    Only points at which both keep the SLO are counted.
    """
    reached, missed = [], []
    for name in others(table):
        if name.partition(",")[0] == OURS:
            continue
        groups = [g for g in distinct_points(table).values() if in_time(g, name)]
        over = [o for g in groups if in_time(g, OURS) and (o := over_ours(g, name)) is not None]
        if over:
            told = f"{name} ({saving(max(over))})"
            (reached if 1 - 1 / max(over) >= claim else missed).append(told)
    nowhere = f", and nowhere against {', '.join(missed)}" if missed else ""
    return [
        f"{100 * claim:.0f} % less, the paper's best figure, which does not name its baseline, is "
        f"reached somewhere against {', '.join(reached) or 'nobody'}{nowhere} "
        "(in brackets the most that is saved)."
    ]


def with_all_costs(table: Table) -> str:
    """By place and load, what ours saves against each: of work, and of the whole bill."""
    names = others(table)
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in table.rows:
        key = (row["model"], row["machine"], row.get("requests_per_hour"))
        groups.setdefault(key, []).append(row)
    lines = [
        [*_place(rows), number(rate), *[_two_savings(rows, name) for name in names]]
        for (_, _, rate), rows in groups.items()
    ]
    against = (f"against {name}" for name in names)
    return grid([*PLACE, "requests an hour", *against], lines)


def _two_savings(rows: Sequence[Row], name: str) -> str:
    row = next((row for row in rows if row["contender"] == name), {})
    work, everything = row.get("over_ours_busy"), row.get("over_ours_total")
    if work is None and everything is None:
        return NOTHING
    return f"{saving(work)} → {saving(everything)}"
