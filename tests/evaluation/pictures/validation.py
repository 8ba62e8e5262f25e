"""The simulator beside what was measured: how far it is off."""

from __future__ import annotations

from collections.abc import Mapping

from evaluation.pictures.style import INK, canvas, distinct, known, legend, look, plain
from evaluation.table import Table
from matplotlib.figure import Figure

ALLOWED = 0.15


def draw_validation(tables: Mapping[str, Table]) -> Figure:
    rows = known(tables["validation"].rows, "ratio")
    quantities = [str(name) for name in distinct(row["quantity"] for row in rows)]
    contenders = distinct(row["contender"] for row in rows)
    figure = canvas(9, 1.6 + 0.5 * max(len(quantities), 3), "Simulated against measured")
    axes = plain(figure.subplots())
    axes.axvspan(1 - ALLOWED, 1 + ALLOWED, color="#009e73", alpha=0.12, linewidth=0)
    axes.axvline(1, color="#aaaaaa", linewidth=1)
    for index, contender in enumerate(contenders):
        style = look(str(contender))
        those = [row for row in rows if row["contender"] == contender]
        shift = 0.5 * ((index + 0.5) / len(contenders) - 0.5)
        places = [quantities.index(str(row["quantity"])) + shift for row in those]
        axes.plot(
            [row["ratio"] for row in those], places, style.marker, color=style.color,
            markersize=7, label=str(contender),
        )  # fmt: skip
    axes.set_yticks(range(len(quantities)), quantities)
    axes.invert_yaxis()
    axes.set_xlabel("simulated / measured", fontsize=8.5, color=INK)
    if rows:
        legend(figure, axes, "band: within 15 %", columns=4)
    return figure
