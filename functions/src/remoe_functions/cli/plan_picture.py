"""A plan as a picture: every expert of every layer, colored by tier, paler where less used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from remoe_functions.cli.figure import write_figure
from remoe_planner.plan import Plan, Tier

# Colors that stay apart for the color-blind and in gray.
_COLORS = {
    Tier.LOCAL: ("#1f4e8c", "local: beside the main model"),
    Tier.ALWAYS_ON: ("#1b8a6b", "always on: in an expert pod"),
    Tier.ON_DEMAND: ("#e08a1e", "on demand: in a function that sleeps"),
}
_PALEST = 0.18
_COUNTABLE = 64  # experts of a layer that can still be told apart


def draw_plan(stem: Path, plan: Plan, use: NDArray[np.float64] | None = None) -> tuple[Path, Path]:
    """Write the picture as SVG and PNG.

    Each layer is a line; its experts stand from the most to the least used one.

    Args:
        stem: the files' path without suffix.
        plan: what to draw.
        use: [layers, experts], expected use; all alike where it is not known.

    Raises:
        OSError: the files cannot be written.
    """
    layers, experts = plan.architecture.shape
    shares = np.ones((layers, experts)) if use is None or not use.any() else use
    order = np.argsort(-shares, axis=1, kind="stable")
    colors = np.take_along_axis(_colors(plan, shares), order[..., None], axis=1)
    figure = Figure(figsize=(10, 1.8 + min(0.16 * layers + 1.2, 9)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(colors, aspect="auto", interpolation="nearest", extent=(0, experts, layers, 0))
    known = "most used first" if np.ptp(shares) else "in the model's order, use unknown"
    axes.set_xlabel(f"experts of the layer, {known}")
    if experts <= _COUNTABLE:
        axes.vlines(range(1, experts), 0, layers, color="white", linewidth=0.8)
        axes.hlines(range(1, layers), 0, experts, color="white", linewidth=0.8)
    axes.set_ylabel("MoE layer")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.tick_params(length=0, labelsize=8)
    figure.suptitle(f"{plan.architecture.name}: {_headline(plan)}")
    figure.legend(
        handles=_legend(plan), loc="outside lower center", ncols=3, frameon=False, fontsize=9
    )
    return write_figure(figure, stem)


def _colors(plan: Plan, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """[layers, experts, 3]: the tier's color, blended into white as use falls (by its root)."""
    strength = np.sqrt(shares / shares.max(axis=1, keepdims=True).clip(min=1e-300))
    strength = _PALEST + (1 - _PALEST) * strength
    tiers = np.array([_rgb(_COLORS[plan.tier_of(e)][0]) for e in plan.architecture.experts])
    full = tiers.reshape(*shares.shape, 3)
    return np.asarray(1 - strength[..., None] * (1 - full))


def _rgb(color: str) -> tuple[float, ...]:
    return tuple(int(color[start : start + 2], 16) / 255 for start in (1, 3, 5))


def _legend(plan: Plan) -> list[Patch]:
    used = _tiers(plan)
    return [
        Patch(color=color, label=label) for tier, (color, label) in _COLORS.items() if used[tier]
    ]


def _headline(plan: Plan) -> str:
    counts = _tiers(plan)
    return ", ".join(f"{counts[tier]} experts {tier}" for tier in Tier if counts[tier])


def _tiers(plan: Plan) -> dict[Tier, int]:
    remote = dict.fromkeys(Tier, 0)
    for function in plan.functions:
        remote[function.tier] += len(function.experts)
    return remote | {Tier.LOCAL: len(plan.local_experts)}
