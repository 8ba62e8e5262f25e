"""From a question to a service that sleeps until its first token, phase by phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evaluation.pictures.style import INK, QUIET, canvas, distinct, known, legend, plain
from evaluation.table import Table
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PAPERS_SAVING = 0.47
BASELINE = "CPU"
COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999")


def draw_cold_start(tables: Mapping[str, Table]) -> Figure:
    rows = known(tables["cold_start"].rows, "seconds")
    situations = distinct(row["situation"] for row in rows)
    counts = [
        len(distinct(r["contender"] for r in rows if r["situation"] == s)) for s in situations
    ]
    figure = canvas(13, 1.6 + 0.45 * sum(counts), "From a question to sleepers to its first token")
    phases = [str(phase) for phase in distinct(row["phase"] for row in rows)]
    ratios = counts or [1]
    grid = figure.subplots(max(len(situations), 1), 1, squeeze=False, height_ratios=ratios)
    for axes, situation in zip(grid.flat, situations, strict=False):
        _draw_situation(axes, [r for r in rows if r["situation"] == situation], phases)
        axes.set_title(str(situation), loc="left", fontsize=9, color=INK)
        axes.set_xlim(left=0)
    grid.flat[-1].set_xlabel("seconds (median)", fontsize=8.5, color=INK)
    if rows:
        legend(figure, grid.flat[0])
    return figure


def _draw_situation(axes: Axes, rows: Sequence[dict[str, object]], phases: Sequence[str]) -> None:
    names = [str(name) for name in distinct(row["contender"] for row in rows)]
    totals = dict.fromkeys(names, 0.0)
    for index, phase in enumerate(phases):
        axes.barh(0, 0, color=COLORS[index % 8], label=phase)
        for row in (row for row in rows if row["phase"] == phase):
            name, seconds = str(row["contender"]), float(row["seconds"])
            axes.barh(
                names.index(name), seconds, left=totals[name], height=0.65, edgecolor="white",
                color=COLORS[index % 8], linewidth=0.4,
            )  # fmt: skip
            totals[name] += seconds
    for place, name in enumerate(names):
        axes.text(totals[name], place, f" {totals[name]:.2f} s", va="center", fontsize=8, color=INK)
    plain(axes).set_yticks(range(len(names)), names)
    axes.grid(visible=False, axis="y")
    axes.invert_yaxis()
    axes.margins(x=0.1)
    _draw_papers(axes, totals)


def _draw_papers(axes: Axes, totals: Mapping[str, float]) -> None:
    """The paper's 47 %, counted from everything on the CPU."""
    if BASELINE not in totals:
        return
    at = (1 - PAPERS_SAVING) * totals[BASELINE]
    axes.axvline(at, color=QUIET, linestyle=(0, (5, 4)), linewidth=1)
    text = f"47 % less than {BASELINE} (the paper's figure; it does not name its baseline)"
    axes.annotate(
        text, (at, 1), xycoords=("data", "axes fraction"), xytext=(4, 3),
        textcoords="offset points", fontsize=7.5, color=QUIET,
    )  # fmt: skip
