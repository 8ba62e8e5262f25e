"""Real services, one after the other on one machine: latency, bills, memory over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evaluation.page_format import number
from evaluation.pictures.style import (
    INK,
    QUIET,
    Look,
    canvas,
    distinct,
    footnote,
    known,
    legend,
    look,
    numbers,
    plain,
)
from evaluation.table import Table
from matplotlib.axes import Axes
from matplotlib.figure import Figure

GIB = 2**30


def draw_measured(tables: Mapping[str, Table]) -> Figure:
    rows = [row for row in tables["measured"].rows if row.get("ran") is not False]
    figure = canvas(13, 1.3 + 0.34 * max(len(rows), 4), "The same prompts, for real")
    latency, step, busy, awake = figure.subplots(1, 4, sharey=True)
    _draw_spread(latency, rows, "ttft", 1.0, "time to first token, s")
    _draw_spread(step, rows, "tpot", 1e3, "time per output token, ms")
    _draw_costs(busy, rows, "busy_usd_per_request", "cost of work, µUSD a request")
    _draw_costs(awake, rows, "awake_usd_per_request", "cost of every second awake, µUSD a request")
    latency.set_yticks(range(len(rows)), [str(row["contender"]) for row in rows])
    latency.set_ylim(len(rows) - 0.5, -0.5)
    _draw_bound(latency, rows, "slo_ttft_seconds", 1.0)
    _draw_bound(step, rows, "slo_tpot_seconds", 1e3)
    footnote(figure, "mark: median · line: up to the 95th percentile · dashed: the SLO")
    return figure


def _draw_spread(
    axes: Axes, rows: Sequence[dict[str, object]], what: str, scale: float, label: str
) -> None:
    low, high = f"{what}_p50_seconds", f"{what}_p95_seconds"
    for place, row in enumerate(rows):
        if row.get(low) is not None:
            middle = scale * float(row[low])
            end = scale * float(row[high] if row.get(high) is not None else row[low])
            axes.plot([middle, end], [place] * 2, color=_look(row).color, linewidth=2)
            _draw_mark(axes, row, place, middle, number(middle), end)
    _finish(axes, label)


def _draw_costs(axes: Axes, rows: Sequence[dict[str, object]], column: str, label: str) -> None:
    for place, row in enumerate(rows):
        if row.get(column) is not None:
            value = 1e6 * float(row[column])
            _draw_mark(axes, row, place, value, number(value), value)
    _finish(axes, label)


def _draw_mark(
    axes: Axes, row: dict[str, object], place: int, value: float, text: str, end: float
) -> None:
    axes.plot(value, place, _look(row).marker, color=_look(row).color, markersize=8)
    axes.annotate(
        text, (end, place), xytext=(8, 0), textcoords="offset points", va="center", fontsize=8,
        color=INK,
    )  # fmt: skip


def _look(row: dict[str, object]) -> Look:
    return look(str(row["contender"]))


def _finish(axes: Axes, label: str) -> None:
    plain(axes).set_xlabel(label, fontsize=8.5, color=INK)
    axes.set_xscale("log")
    axes.margins(x=0.2)
    numbers(axes.xaxis)


def _draw_bound(axes: Axes, rows: Sequence[dict[str, object]], column: str, scale: float) -> None:
    bounds = distinct(row[column] for row in known(rows, column))
    if len(bounds) == 1:
        axes.axvline(scale * float(bounds[0]), color=QUIET, linestyle=(0, (5, 4)), linewidth=1)


def draw_timeline(tables: Mapping[str, Table]) -> Figure:
    rows = known(tables["measured_timeline"].rows, "at_seconds", "memory_bytes")
    contenders = distinct(row["contender"] for row in rows)
    figure = canvas(13, 4.6, "Memory and functions awake while prompts are answered")
    if not rows:
        return figure
    grid = figure.subplots(2, len(contenders), squeeze=False, sharex="col", sharey="row")
    for (memory, awake), contender in zip(grid.T, contenders, strict=True):
        those = [row for row in rows if row["contender"] == contender]
        _draw_held(plain(memory), plain(awake), those, look(str(contender)))
        memory.set_title(str(contender), loc="left", fontsize=8.5, color=INK)
        awake.set_xlabel("seconds", fontsize=8.5, color=INK)
    grid[1, 0].set_yscale("symlog", linthresh=1)
    grid[1, 0].yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    grid[1, 0].set_ylim(bottom=0)
    grid[0, 0].set_ylim(0, 1.05 * max(float(row["memory_bytes"]) / GIB for row in rows))
    grid[0, 0].set_ylabel("memory of all parts, GiB", fontsize=8.5, color=INK)
    grid[1, 0].set_ylabel("functions awake", fontsize=8.5, color=INK)
    footnote(figure, "pale: what the main model's part holds")
    return figure


def _draw_held(memory: Axes, awake: Axes, rows: Sequence[dict[str, object]], style: Look) -> None:
    at = [row["at_seconds"] for row in rows]
    held = [float(row["memory_bytes"]) / GIB for row in rows]
    own = [float(row.get("main_memory_bytes") or 0) / GIB for row in rows]
    memory.fill_between(at, own, step="post", color=style.color, alpha=0.25, linewidth=0)
    memory.step(at, held, where="post", color=style.color, linewidth=1.3)
    counts = [float(row.get("functions_awake") or 0) for row in rows]
    awake.step(at, counts, where="post", color=style.color, linewidth=1.3)


def draw_requests(tables: Mapping[str, Table]) -> Figure:
    rows = known(tables["measured_requests"].rows, "ttft_seconds", "tpot_seconds")
    figure = canvas(13, 4.2, "Every prompt of every contender")
    first, rest = figure.subplots(1, 2)
    for contender in distinct(row["contender"] for row in rows):
        those = [row for row in rows if row["contender"] == contender]
        style = look(str(contender))
        for axes, column, scale in ((first, "ttft_seconds", 1.0), (rest, "tpot_seconds", 1e3)):
            values = sorted(scale * float(row[column]) for row in those)
            shares = [(place + 1) / len(values) for place in range(len(values))]
            axes.step(
                values, shares, where="post", color=style.color, linestyle=style.style,
                linewidth=style.width, label=str(contender),
            )  # fmt: skip
    for axes, label in ((first, "time to first token, s"), (rest, "time per output token, ms")):
        plain(axes).set_xlabel(label, fontsize=8.5, color=INK)
        axes.set_ylim(0, 1.02)
        axes.set_xlim(left=0)
    first.set_ylabel("share of prompts at most so long", fontsize=8.5, color=INK)
    legend(figure, first)
    return figure
