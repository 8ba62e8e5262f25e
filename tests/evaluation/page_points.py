"""Questions to the sweeps: the point in the middle, savings there and everywhere, and defeats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evaluation.page_format import Row
from evaluation.table import Table

OURS = "Remoe"
# Cheaper by less than this is called equal.
EQUAL = 0.005
SHAPE = ("prompt_tokens", "output_tokens", "price_ratio", "slo_multiple", "grid")


def places(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """(model, machine), in order of first appearance."""
    return list(dict.fromkeys((str(row["model"]), str(row["machine"])) for row in rows))


def at(rows: Sequence[Row], place: tuple[str, str]) -> list[Row]:
    return [row for row in rows if (row["model"], row["machine"]) == place]


def point(row: Row) -> tuple[object, ...]:
    return tuple(row.get(name) for name in SHAPE)


def centre(ratios: Table) -> list[Row]:
    """Rows of the point that stands in every sweep, once for each place and contender."""
    sweeps = dict.fromkeys(row["sweep"] for row in ratios.rows)
    in_all = [{point(row) for row in ratios.where(sweep=sweep)} for sweep in sweeps]
    common = set.intersection(*in_all) if in_all else set()
    first: dict[tuple[object, ...], Row] = {}
    for row in ratios.rows:
        if point(row) in common:
            first.setdefault((row["model"], row["machine"], row["contender"]), row)
    return list(first.values())


def over_ours(rows: Sequence[Row], contender: str) -> float | None:
    """What the contender costs in multiples of ours, in rows of one place and point."""
    found = next((row for row in rows if row["contender"] == contender), None)
    value = None if found is None else found.get("cost_over_ours")
    return None if value is None else float(value)


def in_time(rows: Sequence[Row], contender: str) -> bool:
    return all(row.get("keeps_slo") is not False for row in rows if row["contender"] == contender)


def points(ratios: Table) -> Iterator[tuple[tuple[str, str], str, list[Row]]]:
    """(place, sweep, rows of all contenders there) for every point of every sweep."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in ratios.rows:
        key = ((str(row["model"]), str(row["machine"])), str(row["sweep"]), point(row))
        groups.setdefault(key, []).append(row)
    for (place, sweep, _), rows in groups.items():
        yield place, sweep, rows


def distinct_points(ratios: Table) -> dict[tuple[object, ...], list[Row]]:
    """Rows of all contenders at each place and point, points of several sweeps once."""
    found: dict[tuple[object, ...], list[Row]] = {}
    for place, _, rows in points(ratios):
        found.setdefault((place, point(rows[0])), rows)
    return found


def _rival(row: Row) -> bool:
    """Whether it is neither ours nor a variant of ours."""
    return str(row["contender"]).partition(",")[0] != OURS


def defeats(ratios: Table) -> list[tuple[Row, Row]]:
    """(winner, ours) wherever another that keeps the SLO is cheaper than ours, or ours is late."""
    found = []
    for rows in distinct_points(ratios).values():
        ours = next((row for row in rows if row["contender"] == OURS), None)
        others = [row for row in rows if _rival(row) and row.get("keeps_slo") is not False]
        late = ours is not None and ours.get("keeps_slo") is False
        for row in others:
            over = row.get("cost_over_ours")
            if ours and over is not None and (late or float(over) < 1 - EQUAL):
                found.append((row, ours))
    return found
