"""A day of requests: what it costs, who is in time, and what keep-alive changes."""

from __future__ import annotations

from collections.abc import Mapping

from evaluation.pictures.style import (
    INK,
    Panel,
    canvas,
    distinct,
    footnote,
    known,
    legend,
    look,
    machine_name,
    model_name,
    numbers,
    panels,
    plain,
)
from evaluation.table import Table
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter


def draw_day(tables: Mapping[str, Table]) -> Figure:
    rows = [
        {**row, "machine": f"{machine_name(row['machine'])}, {row.get('day') or ''} day"}
        for row in known(tables["day"].rows, "awake_usd_per_million_tokens", "inside_slo_share")
    ]
    count = len({(row["machine"], row["model"]) for row in rows})
    tall = max(1, -(-count // 2))
    figure = canvas(13, 1.0 + 3.4 * tall, "A day of requests: cheaper is left, in time is up")
    made = panels(figure, rows, columns=2) if rows else []
    for panel in made:
        _draw_panel(panel)
    footnote(figure, "hollow: a variant of the contender · * routing resampled")
    figure.canvas.draw()
    for panel in made:
        _name_points(panel)
    return figure


def _draw_panel(panel: Panel) -> None:
    axes = panel.axes
    for row in panel.rows:
        style = look(str(row["contender"]))
        x, y = float(row["awake_usd_per_million_tokens"]), float(row["inside_slo_share"])
        face = "white" if style.style == "--" else style.color
        axes.plot(x, y, style.marker, color=style.color, markerfacecolor=face, markersize=8)
    axes.set_xscale("log")
    numbers(axes.xaxis)
    axes.margins(x=0.3)
    axes.set_ylim(-0.12, 1.15)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_xlabel("USD a million tokens, every second awake paid", fontsize=8, color=INK)
    if panel.first:
        axes.set_ylabel("requests inside the SLO", fontsize=8, color=INK)


def _name_points(panel: Panel) -> None:
    """Names right of their points; further from the edge where another name is in the way."""
    to_screen = panel.axes.transData.transform
    points = [
        to_screen((row["awake_usd_per_million_tokens"], row["inside_slo_share"]))
        for row in panel.rows
    ]
    taken = [(x - 6, x + 4, y) for x, y in points]
    order = sorted(panel.rows, key=lambda row: abs(float(row["inside_slo_share"]) - 0.5))
    for row in reversed(order):
        name, share = str(row["contender"]), float(row["inside_slo_share"])
        at = (float(row["awake_usd_per_million_tokens"]), share)
        x, y = to_screen(at)
        width, step = 6.5 * len(name), -13 if share > 0.5 else 13
        height = y - 0.6 * step
        start, end = x + 8, x + 8 + width
        while any(start < r and left < end and abs(height - h) < 12 for left, r, h in taken):
            height += step
        taken.append((start, end, height))
        panel.axes.annotate(
            name, at, xytext=(7, (height - y) * 72 / panel.axes.figure.dpi), fontsize=8,
            textcoords="offset points", color=look(name).color, va="center",
        )  # fmt: skip


def draw_keep_alive(tables: Mapping[str, Table]) -> Figure:
    rows = known(tables["keep_alive"].rows, "keep_alive_seconds", "awake_usd_per_million_tokens")
    keys = distinct((row["machine"], row["model"]) for row in rows)
    figure = canvas(13, 5.2, "What longer keep-alive costs, and what it spares")
    grid = figure.subplots(2, max(len(keys), 1), squeeze=False, sharex="col")
    faces = _pairs(grid, keys, rows)
    for upper, lower in faces:
        _draw_lines(upper, "awake_usd_per_million_tokens", "USD a million tokens")
        _draw_lines(lower, "inside_slo_share", "requests inside the SLO")
        lower.axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        lower.axes.set_xlabel("keep-alive, s", fontsize=8, color=INK)
    if faces:
        legend(figure, faces[0][0].axes)
    return figure


def _pairs(grid: object, keys: list[object], rows: list[dict[str, object]]) -> list[tuple]:
    """For each model and machine the panel of its cost and, below it, that of its latency."""
    made = []
    for index, (machine, model) in enumerate(keys):
        those = [r for r in rows if r["machine"] == machine and r["model"] == model]
        upper, lower = (
            Panel(axes=plain(grid[line, index]), rows=those, first=index == 0, last=False)
            for line in (0, 1)
        )
        title = f"{model_name(model)}, {machine_name(machine)}"
        upper.axes.set_title(title, loc="left", fontsize=8.5, color=INK)
        made.append((upper, lower))
    return made


def _draw_lines(panel: Panel, column: str, label: str) -> None:
    for contender in distinct(row["contender"] for row in panel.rows):
        rows = [r for r in known(panel.rows, column) if r["contender"] == contender]
        rows.sort(key=lambda row: float(row["keep_alive_seconds"]))
        style = look(str(contender))
        panel.axes.plot(
            [r["keep_alive_seconds"] for r in rows], [r[column] for r in rows],
            color=style.color, marker=style.marker, markersize=4, linewidth=style.width,
            linestyle=style.style, label=str(contender),
        )  # fmt: skip
    panel.axes.set_xscale("symlog", linthresh=1)
    panel.axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.axes.set_ylim(bottom=0)
    if panel.first:
        panel.axes.set_ylabel(label, fontsize=8, color=INK)
