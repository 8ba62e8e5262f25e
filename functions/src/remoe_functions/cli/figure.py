"""Pictures on disk: the same picture, the same bytes."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure


def write_figure(figure: Figure, stem: Path) -> tuple[Path, Path]:
    """Write a figure as SVG and PNG.

    Args:
        figure: what to write.
        stem: the files' path without suffix; its folder is made.

    Returns:
        The SVG and the PNG.

    Raises:
        OSError: they cannot be written.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    svg, png = (stem.with_name(stem.name + suffix) for suffix in (".svg", ".png"))
    with mpl.rc_context({"svg.hashsalt": "remoe"}):
        FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None})
    FigureCanvasAgg(figure)
    figure.savefig(png, dpi=140)
    return svg, png
