"""In short: sentences with the figures that matter, each from one table; the README quotes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import mean

from evaluation.page_format import Row, change, number
from evaluation.page_points import (
    OURS,
    at,
    centre,
    defeats,
    distinct_points,
    in_time,
    over_ours,
    places,
    point,
)
from evaluation.page_ratios import FREE, IDEAL, UNREAL, against_the_paper
from evaluation.pictures.style import machine_name, model_name
from evaluation.table import Table

Tables = Mapping[str, Table]
AGAINST = ("MIX", "GPU")
MIXES = ("MIX", "MIX, always on", "MIX, scale to zero")
PER_MILLION = "awake_usd_per_million_tokens"


def findings(tables: Tables) -> list[str]:
    """Sentences of the tables that are there; one whose rows are missing is left out."""
    return [line for table, tell in FINDINGS for line in _told(tables, table, tell)]


def _told(tables: Tables, name: str, tell: Callable[[Table], list[str]]) -> list[str]:
    return tell(tables[name]) if name in tables else []


def _by(rows: list[Row], column: str = "contender") -> dict[str, Row]:
    return {str(row[column]): row for row in rows}


def _knows(row: Row | None, *columns: str) -> bool:
    return row is not None and all(row.get(name) is not None for name in columns)


def _centre(table: Table) -> list[str]:
    """For each machine and each of those that stay, what ours costs against it, by model."""
    rows = centre(table)
    machines = dict.fromkeys(machine for _, machine in places(rows))
    return [
        f"Work alone, {machine_name(machine)} (simulated, stated profile): Remoe costs against "
        f"{name}: {told}."
        for machine in machines
        for name in AGAINST
        if (told := _by_model(rows, machine, name))
    ]


def _by_model(rows: list[Row], machine: str, name: str) -> str:
    told = []
    for place in places(rows):
        here = at(rows, place)
        over = over_ours(here, name)
        if place[1] == machine and over is not None:
            late = "" if in_time(here, OURS) else " (and breaks the SLO)"
            late += "" if in_time(here, name) else f" ({name} breaks the SLO)"
            told.append(f"{model_name(place[0])} {change(1 / over)}{late}")
    return ", ".join(told)


def _defeats(table: Table) -> list[str]:
    """At how many points ours is not the cheapest that keeps the SLO, an ideal left out."""
    lost = defeats(table)
    beaten, real = (
        {(r["model"], r["machine"], *point(r)) for r, _ in lost if r["contender"] not in left_out}
        for left_out in ((IDEAL,), UNREAL)
    )
    return [
        f"At {len(beaten)} of {len(distinct_points(table))} simulated points another that keeps "
        f"the SLO is cheaper than Remoe, or Remoe breaks it ({IDEAL}, an ideal that nobody can "
        f"build, left out); at {len(real)} of them it is another than {FREE}, which keeps "
        f"thousands of functions warm that nobody pays for here. Section 3 names them."
    ]


def _day(table: Table) -> list[str]:
    """For each day what ours costs against MIX, always on or not, and who is in time."""
    lines = []
    for day in dict.fromkeys(row.get("day") for row in table.rows):
        rows = [row for row in table.rows if row.get("day") == day]
        for model, machine in places(rows):
            found = _by(at(rows, (model, machine)))
            told = [_against(found[OURS], found[name]) for name in MIXES if _both(found, name)]
            if told:
                lines.append(
                    f"The {day} day of {number(found[OURS]['requests'])} requests, every second "
                    f"awake paid, {model_name(model)}, {machine_name(machine)} (simulated, stated "
                    f"profile): Remoe keeps {_inside(found[OURS])} inside the SLO and costs "
                    f"{' and '.join(told)}."
                )
    return lines


def _both(found: Mapping[str, Row], name: str) -> bool:
    return all(_knows(found.get(n), PER_MILLION, "inside_slo_share") for n in (OURS, name))


def _against(ours: Row, mix: Row) -> str:
    words = change(float(ours[PER_MILLION]) / float(mix[PER_MILLION]))
    joint = "as" if words == "the same" else "than"
    return f"{words} {joint} {mix['contender']} ({_inside(mix)})"


def _inside(row: Row) -> str:
    return f"{number(row['inside_slo_share'], 100)} %"


def _measured(table: Table) -> list[str]:
    found = _by(list(table.rows))
    ours, cpu = found.get(OURS), found.get("CPU")
    columns = ("busy_usd_per_request", "awake_usd_per_request", "tpot_p50_seconds")
    if not (_knows(ours, *columns) and _knows(cpu, *columns)):
        return []
    busy, awake = (float(ours[name]) / float(cpu[name]) for name in columns[:2])
    line = (
        f"Measured on the demo model: a request on Remoe costs {change(busy)} than with everything "
        f"on the CPU for its work and {change(awake)} with every second awake paid, at a median of "
        f"{number(ours['tpot_p50_seconds'], 1e3)} ms a token against "
        f"{number(cpu['tpot_p50_seconds'], 1e3)} ms."
    )
    return [line.replace("the same than", "the same as"), *_rivals(found, cpu)]


def _rivals(found: Mapping[str, Row], cpu: Row) -> list[str]:
    told = [
        f"{name} {number(found[name]['tpot_p50_seconds'], 1e3)} ms"
        for name in ("transformers alone", "llama.cpp")
        if _knows(found.get(name), "tpot_p50_seconds")
    ]
    if not told:
        return []
    return [
        f"Measured beside it, a token at the median: {', '.join(told)}, our engine with everything "
        f"on the CPU {number(cpu['tpot_p50_seconds'], 1e3)} ms."
    ]


def _cold_start(table: Table) -> list[str]:
    totals: dict[str, float] = {}
    for row in table.where(situation="everything asleep"):
        if row.get("seconds") is not None and row.get("profile") != "stated":
            name = str(row["contender"])
            totals[name] = totals.get(name, 0.0) + float(row["seconds"])
    if not {OURS, "CPU"} <= set(totals):
        return []
    over = totals[OURS] / totals["CPU"]
    return [
        f"Measured cold start of the demo model, from a question to a service that sleeps until "
        f"its first token: {totals[OURS]:.2f} s with Remoe, {totals['CPU']:.2f} s with everything "
        f"on the CPU ({change(over)})."
    ]


def _validation(table: Table) -> list[str]:
    checked = [
        row
        for row in table.rows
        if row.get("ratio") is not None and any(w in str(row["quantity"]) for w in ("cost", "TPOT"))
    ]
    if not checked:
        return []
    off = [abs(float(row["ratio"]) - 1) for row in checked]
    close = sum(distance <= 0.15 for distance in off)
    return [
        f"The simulator against those measurements: {close} of {len(off)} costs and times per "
        f"token within 15 %, the farthest {100 * max(off):.0f} % off."
    ]


def _limit(table: Table) -> list[str]:
    rows = [row for row in table.rows if row.get("over_optimum") is not None]
    told = [
        f"{model_name(model)} on {machine_name(machine)} "
        f"{change(mean(float(row['over_optimum']) for row in at(rows, (model, machine))))}"
        for model, machine in places(rows)
    ]
    if not told:
        return []
    return [
        f"Against an oracle that knows each request's routing and pays the least that is possible "
        f"at the same SLO (simulated, stated profile), Remoe costs on average: {', '.join(told)}."
    ]


FINDINGS: tuple[tuple[str, Callable[[Table], list[str]]], ...] = (
    ("ratios", _centre),
    ("ratios", against_the_paper),
    ("ratios", _defeats),
    ("day", _day),
    ("limit", _limit),
    ("measured", _measured),
    ("cold_start", _cold_start),
    ("validation", _validation),
)
