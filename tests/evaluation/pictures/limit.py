"""From the cheapest that anybody could have done to what Remoe costs, cause by cause."""

from __future__ import annotations

from collections.abc import Mapping

from evaluation.pictures.style import INK, OURS, Panel, canvas, footnote, known, look, panels
from evaluation.table import Table
from matplotlib.figure import Figure

QUIET_BAR, DEARER, CHEAPER = "#888888", "#e69f00", "#0072b2"


def draw_gap(tables: Mapping[str, Table]) -> Figure:
    rows = known(tables["gap"].rows, "usd_per_request")
    count = len({(row["machine"], row["model"]) for row in rows})
    tall = max(1, -(-count // 3))
    figure = canvas(13, 1.0 + 2.7 * tall, "Remoe's distance from the cheapest possible, by cause")
    for panel in panels(figure, rows, columns=3) if rows else []:
        _draw_panel(panel)
    footnote(figure, "each bar starts where the one above ends · * routing resampled")
    return figure


def _draw_panel(panel: Panel) -> None:
    axes = panel.axes
    least = float(panel.rows[0]["usd_per_request"])
    ends = [100 * float(row["usd_per_request"]) / least for row in panel.rows]
    total = len(ends) - 1
    for place, end in enumerate(ends):
        whole = place in (0, total)
        start = 0.0 if whole else ends[place - 1]
        color = DEARER if end >= start else CHEAPER
        if whole:
            color = look(OURS).color if place else QUIET_BAR
        axes.barh(place, end - start, left=start, color=color, height=0.65)
        text = f" {end:.0f} %" if whole else f" {end - start:+.1f} %"
        axes.text(max(start, end), place, text, va="center", fontsize=7.5, color=INK)
        if place < total:
            axes.plot([end, end], [place, place + 1], color=QUIET_BAR, linewidth=0.7)
    axes.set_yticks(range(len(ends)), [str(row["step"]) for row in panel.rows])
    axes.invert_yaxis()
    axes.set_xlim(max(0.0, 2 * min(ends) - max(ends) - 30), 1.12 * max(ends))
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("cost of a request, % of the optimum's", fontsize=8, color=INK)
