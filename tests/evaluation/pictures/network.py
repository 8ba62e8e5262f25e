"""How much of the advantage over MIX a slow network takes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from evaluation.pictures.style import INK, OURS, Panel, canvas, footnote, known, panels
from evaluation.table import Table
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure


def draw_network(tables: Mapping[str, Table]) -> Figure:
    rows = known(tables["network"].where(contender=OURS), "mix_over_this")
    count = len({(row["machine"], row["model"]) for row in rows})
    tall = -(-count // 5)
    figure = canvas(
        13, 1.1 + 2.3 * max(tall, 1), "MIX's cost in multiples of Remoe's, by the network between"
    )
    made = panels(figure, rows, columns=5) if rows else []
    worst = max((abs(np.log2(float(r["mix_over_this"]))) for r in rows), default=1.0)
    for panel in made:
        _draw_panel(panel, max(worst, 0.1))
    footnote(
        figure,
        "violet: Remoe is cheaper · orange: MIX is · late: Remoe breaks the SLO there · "
        "* routing resampled",
    )
    return figure


def _draw_panel(panel: Panel, worst: float) -> None:
    speeds = sorted({float(row["bytes_per_second"]) for row in panel.rows})
    trips = sorted({float(row["round_trip_seconds"]) for row in panel.rows})
    over = np.full((len(trips), len(speeds)), np.nan)
    axes = panel.axes
    norm = TwoSlopeNorm(vmin=-worst, vcenter=0, vmax=worst)
    for row in panel.rows:
        x = speeds.index(float(row["bytes_per_second"]))
        y = trips.index(float(row["round_trip_seconds"]))
        over[y, x] = np.log2(float(row["mix_over_this"]))
        dark = abs(over[y, x]) > 0.7 * worst
        late = " late" if row.get("keeps_slo") is False else ""
        text = f"{float(row['mix_over_this']):.2f}{late}"
        axes.text(x, y, text, ha="center", va="center", fontsize=7, color="white" if dark else INK)
    axes.imshow(over, cmap="PuOr", norm=norm, aspect="auto", origin="lower")
    axes.grid(visible=False)
    axes.set_xticks(range(len(speeds)), [f"{8 * s / 1e9:g}" for s in speeds])
    axes.set_yticks(range(len(trips)), [f"{1e3 * t:g}" for t in trips])
    axes.set_xlabel("bandwidth, Gb/s", fontsize=8, color=INK)
    if panel.first:
        axes.set_ylabel("round trip, ms", fontsize=8, color=INK)
