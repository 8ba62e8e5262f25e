"""What each part of the method is worth: the cost and the punctuality without it."""

from __future__ import annotations

from collections.abc import Mapping

from evaluation.pictures.style import (
    INK,
    OURS,
    Panel,
    canvas,
    footnote,
    known,
    look,
    machine_name,
    panels,
)
from evaluation.table import Table
from matplotlib.figure import Figure

MOST_SHOWN = 150.0  # per cent; longer bars are cut


def draw_ablations(tables: Mapping[str, Table]) -> Figure:
    rows = [
        {**row, "machine": _scene(row)} for row in known(tables["ablations"].rows, "cost_over_ours")
    ]
    count = len({(row["machine"], row["model"]) for row in rows})
    tall = max(1, -(-count // 2))
    figure = canvas(13, 1.0 + 2.5 * tall, "What the service costs with one part left out")
    for panel in panels(figure, rows, columns=2) if rows else []:
        _draw_panel(panel)
    footnote(
        figure,
        "right of the line: dearer than Remoe whole · inside: requests inside the SLO · "
        "hatched: the SLO is broken · * routing resampled",
    )
    return figure


def _scene(row: dict[str, object]) -> str:
    scene = row.get("scene")
    return machine_name(row["machine"]) + (f", {scene}" if scene else "")


def _draw_panel(panel: Panel) -> None:
    axes = panel.axes
    changes = [100 * (float(row["cost_over_ours"]) - 1) for row in panel.rows]
    for place, (row, change) in enumerate(zip(panel.rows, changes, strict=True)):
        late = row.get("keeps_slo") is False
        shown = min(change, MOST_SHOWN)
        axes.barh(
            place, shown, height=0.65, edgecolor="white", hatch="////" if late else "",
            color="#0072b2" if change <= 0 else "#e69f00",
        )  # fmt: skip
        axes.annotate(
            _told(row, change), (max(shown, 0), place), xytext=(5, 0), va="center", fontsize=7.5,
            textcoords="offset points", color=INK,
        )  # fmt: skip
    axes.axvline(0, color=look(OURS).color, linewidth=2.4)
    axes.set_yticks(range(len(panel.rows)), [str(row["ablation"]) for row in panel.rows])
    axes.invert_yaxis()
    least, most = min([0, *changes]), min(max([10, *changes]), MOST_SHOWN)
    axes.set_xlim(1.1 * least - 2, 1.6 * most)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("cost against Remoe whole, %", fontsize=8, color=INK)


def _told(row: dict[str, object], change: float) -> str:
    inside = row.get("inside_slo_share")
    cut = " (cut)" if change > MOST_SHOWN else ""
    share = "" if inside is None else f", {100 * float(inside):.0f} % inside"
    return f"{change:+.1f} %{cut}{share}"
