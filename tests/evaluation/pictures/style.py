"""How pictures look: one color and marker per contender, panels by model and machine.

Colors are Okabe's and Ito's, which stay apart for the color-blind; markers differ as well, so that
gray paper will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

INK = "#333333"
QUIET = "#767676"
OURS = "Remoe"
TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, kw_only=True)
class Look:
    color: str
    marker: str
    width: float = 1.3
    style: str = "-"


LOOKS = {
    "CPU": Look(color="#333333", marker="s"),
    "GPU": Look(color="#d55e00", marker="^"),
    "MIX": Look(color="#0072b2", marker="D"),
    "Fetch": Look(color="#e69f00", marker="v"),
    "Remoe as printed": Look(color="#cc79a7", marker="P"),
    OURS: Look(color="#009e73", marker="o", width=2.4),
    "function per expert": Look(color="#56b4e9", marker="<"),
    "function per layer": Look(color="#8c6d1f", marker=">"),
    "transformers alone": Look(color="#882255", marker="X"),
    "llama.cpp": Look(color="#332288", marker="*"),
}
MODELS = {
    "demo": "demo model",
    "gpt2-moe": "GPT2-moe",
    "deepseek-v2-lite": "DeepSeek-V2-Lite",
    "qwen3-30b-a3b": "Qwen3-30B-A3B",
    "mixtral-8x7b": "Mixtral-8x7B",
    "deepseek-v3": "DeepSeek-V3",
}
MACHINES = {
    "paper-server": "paper's server",
    "h100-node": "H100 node",
    "this machine": "this machine",
}


def look(contender: str) -> Look:
    """A contender's look; a variant ("Remoe, always on") is drawn as its contender, dashed."""
    name, _, variant = contender.partition(",")
    found = LOOKS.get(name, Look(color=QUIET, marker="."))
    return Look(
        color=found.color,
        marker=found.marker,
        width=found.width,
        style="--" if variant else "-",
    )


def model_name(model: object) -> str:
    return MODELS.get(str(model), str(model))


def machine_name(machine: object) -> str:
    return MACHINES.get(str(machine), str(machine))


def canvas(width: float, height: float, title: str) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
    return figure


def plain(axes: Axes) -> Axes:
    """Only the frame that carries numbers, and a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#aaaaaa")
    axes.tick_params(which="both", labelsize=8, color="#aaaaaa", labelcolor=INK)
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def distinct(values: Iterable[object]) -> list[object]:
    return list(dict.fromkeys(values))


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The place for one model on one machine, and its rows."""

    axes: Axes
    rows: list[dict[str, object]]
    first: bool
    last: bool


def panels(
    figure: Figure,
    rows: Sequence[dict[str, object]],
    *,
    columns: int | None = None,
    share_y: bool = False,
) -> list[Panel]:
    """A panel for each machine and model that rows tell of.

    Panels run on in lines of so many columns; without, models stand side by side and machines
    below each other.
    """
    keys = [(m, n) for m, n in distinct((row["machine"], row["model"]) for row in rows)]
    wide = columns or max(sum(k[0] == m for k in keys) for m, _ in keys)
    wide = min(wide, len(keys))
    tall = -(-len(keys) // wide)
    grid = figure.subplots(tall, wide, squeeze=False, sharey=share_y)
    for spare in grid.flat[len(keys) :]:
        spare.remove()
    made = []
    for index, ((machine, model), axes) in enumerate(zip(keys, grid.flat, strict=False)):
        those = [r for r in rows if r["model"] == model and r["machine"] == machine]
        mark = " *" if any("resampled" in str(r.get("routing")) for r in those) else ""
        title = f"{model_name(model)}{mark}, {machine_name(machine)}"
        plain(axes).set_title(title, loc="left", fontsize=8.5, color=INK)
        last = index % wide == wide - 1 or index == len(keys) - 1
        made.append(Panel(axes=axes, rows=those, first=index % wide == 0, last=last))
    return made


def multiples(axis: Axis) -> None:
    """A logarithmic axis in multiples of one."""
    numbers(axis, TIMES)


def numbers(axis: Axis, unit: str = "") -> None:
    """A logarithmic axis in plain numbers, with ticks at ones, twos and fives if they have room."""
    label = FuncFormatter(lambda value, _: f"{value:g}{unit}")
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 40 * low else (1,)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(label)


def end_labels(axes: Axes, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Names at the ends of lines, (x, y, text, color), pushed apart where they would overlap."""
    if not ends:
        return
    ordered = sorted(ends, key=lambda end: end[1])
    to_screen, back = axes.transData.transform, axes.transAxes.inverted().transform
    heights = [back(to_screen((x, y)))[1] for x, y, *_ in ordered]
    for (_, _, text, color), height in zip(ordered, _apart(heights, 0.075), strict=True):
        axes.text(
            1.02, height, text, transform=axes.transAxes, color=color, fontsize=8, va="center"
        )


def _apart(heights: Sequence[float], gap: float) -> list[float]:
    """Ascending heights moved as little as needed to stand a gap apart, around their middle."""
    moved = list(heights)
    for _ in range(100):
        for i in range(1, len(moved)):
            short = gap - (moved[i] - moved[i - 1])
            if short > 1e-6:
                moved[i] += short / 2
                moved[i - 1] -= short / 2
    return list(np.asarray(moved))


def footnote(figure: Figure, text: str) -> None:
    figure.supxlabel(text, x=0.01, ha="left", fontsize=8, color=QUIET)


def legend(figure: Figure, axes: Axes, note: str = "", columns: int = 9) -> None:
    """Names of colors and markers below the panels, in one line, and a note over them."""
    handles, labels = axes.get_legend_handles_labels()
    box = figure.legend(
        handles, labels, loc="outside lower left", ncols=columns, frameon=False, fontsize=8.5,
        columnspacing=1.4, handlelength=1.8, title=note or None, title_fontsize=8, alignment="left",
    )  # fmt: skip
    box.get_title().set_color(QUIET)


def known(rows: Iterable[dict[str, object]], *names: str) -> list[dict[str, object]]:
    """Rows that know all the named columns."""
    return [row for row in rows if all(row.get(name) is not None for name in names)]
