"""Plans and their differences drawn as tables for a terminal."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from remoe_planner.difference import Difference
from remoe_planner.memory import MIB
from remoe_planner.plan import Plan
from remoe_planner.table import Row, plan_rows


def plan_table(plan: Plan, utility: NDArray[np.float64] | None = None) -> Table:
    """One line for the main model and one for each function."""
    table = Table(title=f"{plan.architecture.name}: {plan.remote_share:.0%} of experts remote")
    table.add_column("Part", no_wrap=True)
    for heading in ("Experts", "Layers", "Weights", "Memory", "Use", "Replicas", "Stays"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in plan_rows(plan, utility):
        table.add_row(*_cells(row))
    return table


def difference_table(changes: Difference) -> Table | str:
    """How many experts move from where to where."""
    if changes.is_empty:
        return "Nothing changes."
    table = Table(title=f"{len(changes.moves)} experts move")
    table.add_column("From")
    table.add_column("To")
    table.add_column("Experts", justify="right")
    moves = Counter((move.before or "main", move.after or "main") for move in changes.moves)
    for (before, after), count in sorted(moves.items()):
        table.add_row(before, after, str(count))
    more = f"{changes.main_memory_bytes / MIB:+,.0f} MiB"
    table.caption = f"main model: {more}" + "".join(
        f"; {verb}: {', '.join(names)}"
        for verb, names in (("new", changes.added), ("gone", changes.removed))
        if names
    )
    return table


def _cells(row: Row) -> tuple[str, ...]:
    least, most = row.replicas
    return (
        row.part,
        str(row.experts),
        str(row.layers),
        f"{row.weight_bytes / MIB:,.0f} MiB",
        f"{row.memory_bytes / MIB:,.0f} MiB",
        "?" if row.use_share is None else f"{row.use_share:.1%}",
        f"{least} to {most}",
        "" if row.keep_alive_seconds is None else f"{row.keep_alive_seconds:g} s",
    )
