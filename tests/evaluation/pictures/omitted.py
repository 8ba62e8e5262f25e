"""The bill of a request with what the paper leaves out, part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from evaluation.page_format import number
from evaluation.pictures.style import (
    INK,
    TIMES,
    Panel,
    canvas,
    distinct,
    known,
    legend,
    machine_name,
    model_name,
    panels,
)
from evaluation.table import Table
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PARTS = {
    "busy_usd_per_request": ("work (all that the paper counts)", "#0072b2"),
    "cold_start_usd_per_request": ("cold starts", "#d55e00"),
    "idle_usd_per_request": ("kept alive, idle", "#f0c419"),
    "fees_usd_per_request": ("fees per call", "#333333"),
    "network_usd_per_request": ("waiting for the network", "#cc79a7"),
}


def draw_omitted(tables: Mapping[str, Table]) -> Figure:
    rows = _of_one_model(known(tables["omitted"].rows, "total_usd_per_request"))
    name = model_name(rows[0]["model"]) if rows else ""
    count = len(distinct(row["machine"] for row in rows))
    wide = len(distinct(row.get("requests_per_hour") for row in rows)) or 1
    figure = canvas(
        13, 1.2 + 2.5 * max(1, -(-count // wide)), f"{name}: a bill with what the paper leaves out"
    )
    made = panels(figure, rows, columns=wide) if rows else []
    for panel in made:
        _draw_panel(panel)
    if made:
        note = "number at the bar: the whole, in multiples of Remoe's · * routing resampled"
        legend(figure, made[0].axes, note)
    return figure


def _of_one_model(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """The first model with traces of its own, each machine at each load."""
    real = [row for row in rows if row.get("routing") != "resampled"] or rows
    return [
        {**row, "machine": f"{machine_name(row['machine'])}, {_load(row)}"}
        for row in rows
        if row["model"] == real[0]["model"]
    ]


def _load(row: dict[str, object]) -> str:
    rate = row.get("requests_per_hour")
    return "load unknown" if rate is None else f"{float(rate):g} requests an hour"


def _draw_panel(panel: Panel) -> None:
    axes = panel.axes
    names = [str(row["contender"]) for row in panel.rows]
    starts = [0.0] * len(names)
    for part, (label, color) in PARTS.items():
        axes.barh(0, 0, color=color, label=label)
        values = [1e3 * float(row.get(part) or 0) for row in panel.rows]
        some = [place for place, value in enumerate(values) if value]
        axes.barh(
            some, [values[i] for i in some], left=[starts[i] for i in some],
            color=color, height=0.7, edgecolor="white", linewidth=0.4,
        )  # fmt: skip
        starts = [start + value for start, value in zip(starts, values, strict=True)]
    limit = _limit(starts)
    for place, (end, row) in enumerate(zip(starts, panel.rows, strict=True)):
        _draw_total(axes, place, end, limit, row.get("over_ours_total"))
    axes.set_xlim(0, 1.2 * limit)
    axes.set_yticks(range(len(names)), names if panel.first else [""] * len(names))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("USD a thousand requests", fontsize=8, color=INK)


def _limit(totals: Sequence[float]) -> float:
    """Where the axis ends: the longest bar that does not press most others together."""
    usual = 4 * float(np.median(totals))
    return max((total for total in totals if total <= usual), default=0.0) or 1.0


def _draw_total(axes: Axes, place: int, end: float, limit: float, over: object) -> None:
    cut = end > limit
    if cut:
        axes.barh(place, 0.012 * limit, left=limit, color="white", height=0.8, zorder=3)
        axes.barh(place, 2 * limit, left=1.03 * limit, color="white", height=0.8, zorder=3)
    if over is not None:
        text = f"{number(over)}{TIMES}" + (" (cut)" if cut else "")
        x = 1.04 * limit if cut else end + 0.01 * limit
        axes.text(x, place, text, va="center", fontsize=7.5, color=INK, zorder=4)
