"""What others cost, in multiples of Remoe's cost, over shapes of requests, prices and SLOs."""

from __future__ import annotations

from collections.abc import Mapping

from evaluation.pictures.style import (
    INK,
    OURS,
    QUIET,
    Panel,
    canvas,
    distinct,
    end_labels,
    known,
    legend,
    look,
    multiples,
    panels,
)
from evaluation.table import Table
from matplotlib.figure import Figure

PAPERS_SAVING = 0.57
NOTE = (
    "hollow: the SLO is broken · * routing resampled · "
    "dashed: 57 % less, the paper's best figure (it does not say against which baseline)"
)
LEFT_OUT = ", smallest memory"  # so dear that they would press all others together
X_LABELS = {
    "ratio": "prompt tokens : answer tokens",
    "price": "price of GPU / of CPU memory",
    "slo": "SLO / MIX's own TTFT and TPOT",
}
TITLES = {
    "ratio": "What others cost, in multiples of Remoe's cost: by the shape of requests",
    "price": "What others cost, in multiples of Remoe's cost: by the price of GPU memory",
    "slo": "What others cost, in multiples of Remoe's cost: by how tight the promise is",
}


def draw_sweep(tables: Mapping[str, Table], sweep: str) -> Figure:
    rows = known(tables["ratios"].where(sweep=sweep), "cost_over_ours", "prompt_tokens")
    rows = [row for row in rows if not str(row["contender"]).endswith(LEFT_OUT)]
    rows = [{**row, "x": _x(row, sweep)} for row in rows if _x(row, sweep) is not None]
    tall = 1 + len(distinct(row["machine"] for row in rows))
    figure = canvas(13, 2.3 * tall - 0.4, TITLES[sweep])
    made = panels(figure, rows, share_y=True) if rows else []
    for panel in made:
        _draw_panel(panel, sweep)
    if made:
        made[0].axes.set_yscale("log")
        for panel in made:
            multiples(panel.axes.yaxis)
        legend(figure, made[0].axes, NOTE)
        _label_ends(figure, made)
    return figure


def _x(row: dict[str, object], sweep: str) -> float | None:
    if sweep == "ratio":
        return float(row["prompt_tokens"]) / float(row["output_tokens"])
    value = row.get("price_ratio" if sweep == "price" else "slo_multiple")
    return None if value is None else float(value)


def _draw_panel(panel: Panel, sweep: str) -> None:
    axes = panel.axes
    axes.axhline(1, color=look(OURS).color, linewidth=2.4, label=OURS)
    axes.axhline(1 / (1 - PAPERS_SAVING), color=QUIET, linewidth=1, linestyle=(0, (5, 4)))
    for contender in distinct(row["contender"] for row in panel.rows):
        if contender != OURS:
            _draw_line(panel, str(contender))
    axes.set_xscale("log")
    _ticks(panel, sweep)
    axes.set_xlabel(X_LABELS[sweep], fontsize=8, color=INK)
    if panel.first:
        axes.set_ylabel("cost / Remoe's cost", fontsize=8, color=INK)


def _draw_line(panel: Panel, contender: str) -> None:
    rows = sorted((r for r in panel.rows if r["contender"] == contender), key=lambda r: r["x"])
    style = look(contender)
    xs, ys = [r["x"] for r in rows], [r["cost_over_ours"] for r in rows]
    panel.axes.plot(
        xs, ys, color=style.color, linewidth=style.width, linestyle=style.style,
        marker=style.marker, markersize=4, label=contender,
    )  # fmt: skip
    late = [(x, y) for x, y, r in zip(xs, ys, rows, strict=True) if r.get("keeps_slo") is False]
    if late:
        panel.axes.plot(
            *zip(*late, strict=True), linestyle="", marker=style.marker, markersize=4,
            markerfacecolor="white", markeredgecolor=style.color,
        )  # fmt: skip


def _ticks(panel: Panel, sweep: str) -> None:
    """Ticks where points are, as many as there is room for."""
    name = _shape if sweep == "ratio" else (lambda row: f"{row['x']:g}")
    points = sorted({(row["x"], name(row)) for row in panel.rows})
    chosen = points[:: max(1, -(-len(points) // 6))]
    panel.axes.set_xticks([x for x, _ in chosen], [name for _, name in chosen])
    panel.axes.set_xticks([], minor=True)


def _shape(row: dict[str, object]) -> str:
    """`7:1`, `1:7`, `5:8`; tokens themselves where no small numbers say it."""
    prompt, answer = int(row["prompt_tokens"]), int(row["output_tokens"])
    for small in range(1, 10):
        other = prompt * small / answer
        if abs(other - round(other)) < 0.02 * other and round(other) >= 1:
            return f"{round(other)}:{small}"
    return f"{prompt}:{answer}"


def _label_ends(figure: Figure, made: list[Panel]) -> None:
    """Names beside the last panel of each line, where its lines end."""
    figure.canvas.draw()
    for panel in (one for one in made if one.last):
        ends = []
        for contender in distinct(row["contender"] for row in panel.rows):
            last = max((r for r in panel.rows if r["contender"] == contender), key=lambda r: r["x"])
            y = 1.0 if contender == OURS else float(last["cost_over_ours"])
            ends.append((last["x"], y, str(contender), look(str(contender)).color))
        end_labels(panel.axes, ends)
