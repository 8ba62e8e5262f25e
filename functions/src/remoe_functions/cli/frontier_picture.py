"""What a tighter latency costs: the frontier, and where the alternatives lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from remoe_functions.cli.figure import write_figure

_MARKERS = ("D", "s", "^", "v")
_LINES = ("#1f4e8c", "#e08a1e", "#1b8a6b", "#8c2d3a")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierPoint:
    """The cheapest plan under one bound.

    Attributes:
        tpot_bound_seconds: the bound asked for.
        tpot_seconds: what the plan is expected to reach at the SLO's percentile.
        cost_per_request: of that plan.
        remote_share: share of the experts that are remote in it.
    """

    tpot_bound_seconds: float
    tpot_seconds: float
    cost_per_request: float
    remote_share: float


def draw_frontier(
    stem: Path,
    frontiers: Mapping[str, Sequence[FrontierPoint]],
    alternatives: Mapping[str, tuple[float, float]],
    *,
    title: str,
    currency: str,
) -> tuple[Path, Path]:
    """Write the picture as SVG and PNG.

    Args:
        stem: the files' path without suffix.
        frontiers: for each method its plans, by ascending bound; bounds that cannot be met left
            out.
        alternatives: (TPOT in seconds, cost per request) of ways to serve that choose nothing.
        title: of the picture.
        currency: of the costs.

    Raises:
        OSError: the files cannot be written.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for (name, points), color in zip(frontiers.items(), _LINES, strict=False):
        bounds = [1000 * point.tpot_bound_seconds for point in points]
        costs = [point.cost_per_request for point in points]
        axes.step(bounds, costs, where="post", color=color, label=name, marker="o", markersize=3)
    for (name, (tpot, cost)), marker in zip(alternatives.items(), _MARKERS, strict=False):
        axes.plot(1000 * tpot, cost, marker, color="#555555", markersize=7, label=name)
    axes.set_xlabel("time per output token promised, ms")
    axes.set_ylabel(f"cost of a request, {currency}")
    axes.loglog()
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(FuncFormatter(_minor))
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, loc="left", fontsize=10)
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return write_figure(figure, stem)


def _minor(value: float, _: int) -> str:
    """A label for the twos and fives between powers of ten."""
    return f"{value:g}" if f"{value:e}"[0] in "25" else ""
