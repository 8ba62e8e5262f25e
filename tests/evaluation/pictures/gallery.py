"""Every picture of the page: what it is drawn from, who draws it, and what it shows in words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import matplotlib as mpl
from evaluation.pictures.ablations import draw_ablations
from evaluation.pictures.cold_start import draw_cold_start
from evaluation.pictures.day import draw_day, draw_keep_alive
from evaluation.pictures.limit import draw_gap
from evaluation.pictures.measured import draw_measured, draw_requests, draw_timeline
from evaluation.pictures.network import draw_network
from evaluation.pictures.omitted import draw_omitted
from evaluation.pictures.slim import slim
from evaluation.pictures.sweeps import draw_sweep
from evaluation.pictures.validation import draw_validation
from evaluation.table import Table, as_csv
from matplotlib.figure import Figure

from remoe_functions.cli.figure import write_figure


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture: the table that it shows, how it is drawn, and its text for those who hear it."""

    name: str
    table: str
    draw: Callable[[Mapping[str, Table]], Figure]
    alt: str


PICTURES = {
    one.name: one
    for one in (
        Picture(
            name="measured",
            table="measured",
            draw=draw_measured,
            alt="latency and cost of each contender, measured",
        ),
        Picture(
            name="measured_requests",
            table="measured_requests",
            draw=draw_requests,
            alt="share of prompts by time to first token and time per output token",
        ),
        Picture(
            name="measured_timeline",
            table="measured_timeline",
            draw=draw_timeline,
            alt="memory and functions awake over time",
        ),
        Picture(
            name="cold_start",
            table="cold_start",
            draw=draw_cold_start,
            alt="cold start of each contender by phase",
        ),
        Picture(
            name="validation",
            table="validation",
            draw=draw_validation,
            alt="simulated figures in multiples of measured ones",
        ),
        Picture(
            name="ratios",
            table="ratios",
            draw=partial(draw_sweep, sweep="ratio"),
            alt="cost of others over Remoe's by prompt and answer lengths",
        ),
        Picture(
            name="prices",
            table="ratios",
            draw=partial(draw_sweep, sweep="price"),
            alt="cost of others over Remoe's by the price of GPU memory",
        ),
        Picture(
            name="slo",
            table="ratios",
            draw=partial(draw_sweep, sweep="slo"),
            alt="cost of others over Remoe's by how tight the SLO is",
        ),
        Picture(
            name="omitted",
            table="omitted",
            draw=draw_omitted,
            alt="bills with cold starts, idle seconds, fees and the network",
        ),
        Picture(
            name="network",
            table="network",
            draw=draw_network,
            alt="MIX's cost over Remoe's by bandwidth and round trip",
        ),
        Picture(
            name="day",
            table="day",
            draw=draw_day,
            alt="cost and share of requests inside the SLO over a day",
        ),
        Picture(
            name="keep_alive",
            table="keep_alive",
            draw=draw_keep_alive,
            alt="cost and share inside the SLO by keep-alive",
        ),
        Picture(
            name="ablations",
            table="ablations",
            draw=draw_ablations,
            alt="cost with one part of the method left out",
        ),
        Picture(
            name="gap",
            table="gap",
            draw=draw_gap,
            alt="from the optimum's cost to Remoe's, by cause",
        ),
    )
}


def draw_pictures(
    tables: Mapping[str, Table], folder: Path, *, only: Collection[str] = PICTURES
) -> None:
    """Draw every picture whose table is there; each carries the digest of the rows behind it."""
    for picture in PICTURES.values():
        if picture.table in tables and picture.name in only:
            figure = picture.draw(tables)
            figure.set_gid(drawn_from(tables[picture.table]))
            _write(figure, folder / picture.name)


def _write(figure: Figure, stem: Path) -> None:
    """Letters as text: they are half of what is drawn."""
    with mpl.rc_context({"svg.fonttype": "none"}):
        svg, _ = write_figure(figure, stem)
    svg.write_text(slim(svg.read_text("utf-8")), "utf-8")


def drawn_from(table: Table) -> str:
    """What an SVG says of its origin: it changes when a row does."""
    return "rows-" + hashlib.sha256(as_csv(table.rows).encode()).hexdigest()[:16]
