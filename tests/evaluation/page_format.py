"""How the page writes numbers, tables of Markdown, and where a table comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from evaluation.table import Table

NOTHING = "\N{EN DASH}"  # of what is not known
Row = dict[str, object]


def number(value: object, scale: float = 1.0) -> str:
    """Three digits that count; thousands apart; a dash for what is not known."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    if not isinstance(value, int | float):
        return str(value)
    scaled = scale * value
    if isinstance(scaled, int) or abs(scaled) >= 100:
        return f"{scaled:,.0f}"
    return f"{Decimal(f'{scaled:.3g}'):f}"


def change(over: float) -> str:
    """A cost against another, in words: `23 % less`, `4 % more`, `the same`."""
    percent = round(100 * (over - 1))
    if not percent:
        return "the same"
    return f"{abs(percent)} % {'less' if percent < 0 else 'more'}"


def saving(over_ours: float | None) -> str:
    """What ours saves against one that costs so many times as much: `23 %`, or `-4 %`."""
    if over_ours is None:
        return NOTHING
    return f"{round(100 * (1 - 1 / over_ours))} %"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the page.

    Attributes:
        title: with its unit.
        name: in the CSV.
        scale: from the CSV's unit to the title's.
        write: instead of a number; gets the row.
    """

    title: str
    name: str = ""
    scale: float = 1.0
    write: Callable[[Row], str] | None = None

    def cell(self, row: Row) -> str:
        return self.write(row) if self.write else number(row.get(self.name), self.scale)


def markdown(columns: Sequence[Column], rows: Iterable[Row]) -> str:
    """A table of Markdown; a column that no row knows is left out."""
    lines = list(rows)
    shown = [c for c in columns if any(c.cell(row) not in (NOTHING, "") for row in lines)]
    return grid([column.title for column in shown], [[c.cell(row) for c in shown] for row in lines])


def grid(titles: Sequence[str], cells: Iterable[Sequence[str]]) -> str:
    safe = [[cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in cells]
    numeric = [all(_is_number(line[place]) for line in safe) for place in range(len(titles))]
    rule = "|".join("---:" if right else "---" for right in numeric)
    lines = [f"| {' | '.join(titles)} |", f"|{rule}|"]
    return "\n".join(lines + [f"| {' | '.join(line)} |" for line in safe])


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit() or cell[:1] in (NOTHING, "-", "+", "†")


def origin(table: Table, *, folder: str = "evaluation") -> str:
    """Under every table: its command, inputs and profile, and the file with all columns."""
    facts = table.facts
    took = facts.get("seconds")
    parts = [
        "**A quick run: its numbers show nothing.**" if facts.get("quick") else "",
        f"`{facts.get('command', '?')}`",
        f"inputs: {facts.get('inputs', '?')}",
        f"profile: {_profile(table)}" if facts.get("profile") else "",
        f"run on {facts.get('machine', '?')}",
        "" if took is None else f"took {duration(float(took))}",
        f"[all columns]({folder}/{table.name}.csv)",
    ]
    seed = facts.get("seed")
    parts.insert(5, "" if seed is None or "seed" in str(facts.get("inputs")) else f"seed {seed}")
    line = "<sub>" + " · ".join(part for part in parts if part) + "</sub>"
    return f"{facts['note']}\n\n{line}" if facts.get("note") else line


def _profile(table: Table) -> str:
    """In full, or only the names of machines that are told of where section 3 begins."""
    told = machines([table])
    if told:
        return f"{str(table.facts['profile']).partition(':')[0]}: {' and '.join(told)}"
    return str(table.facts.get("profile") or "?")


def machines(tables: Iterable[Table]) -> dict[str, str]:
    """What the profiles of these tables say of each machine that their rows name, by its name."""
    found: dict[str, str] = {}
    for table in tables:
        names = dict.fromkeys(str(row["machine"]) for row in table.rows if row.get("machine"))
        text = str(table.facts.get("profile") or "").partition(": ")[2]
        parts = re.split(r"(?:^|; )(?=(?:" + "|".join(map(re.escape, names)) + r"): )", text)
        told = dict(part.split(": ", 1) for part in parts if ": " in part) if names else {}
        found |= {name: told[name] for name in names if name in told and name not in found}
    return found


def duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


# Columns say who keeps the SLO; sentences with how far off at each point would fill the page.
UNKEPT = re.compile(
    r"(NOT inside the SLO[^:]*: )?(TTFT|TPOT) of [^:]*cannot be promised.*? more\.\s*"
)


def notes(rows: Iterable[Row], by: str) -> str:
    """Every note once, with whom it is about; those on everybody last, without names."""
    told: dict[str, list[str]] = {}
    for row in rows:
        note = UNKEPT.sub("", str(row.get("note") or "")).strip()
        if note:
            told.setdefault(note, []).append(str(row[by]))
    return "\n".join(f"- {_few(list(dict.fromkeys(who)))}: {note}" for note, who in told.items())


def _few(names: Sequence[str]) -> str:
    return "; ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
