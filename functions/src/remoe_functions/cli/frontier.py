"""The cheapest plans under ever looser bounds on time per output token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from remoe_functions.cli.duration import written
from remoe_functions.cli.frontier_picture import FrontierPoint, draw_frontier
from remoe_functions.cli.slo_planning import Question
from remoe_planner.estimating.alternatives import Alternative
from remoe_planner.method import Method
from remoe_planner.planning.make_plan import Planned

_METHODS = {Method.MARGINAL: "this planner", Method.PRINTED: "the paper's, as printed"}
# From a little below the best to where a bound says nothing any more.
_TIGHTEST, _LOOSEST = 0.9, 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """What each bound costs.

    Attributes:
        model: the model's name.
        currency: of the costs.
        billing: how use is paid for, in words.
        methods: each method's plans by ascending bound; bounds it cannot keep left out.
        resident: (TPOT in seconds at the percentile, cost per request) with everything resident.
    """

    model: str
    currency: str
    billing: str
    methods: Mapping[str, tuple[FrontierPoint, ...]]
    resident: Mapping[str, tuple[float, float]]

    def to_mapping(self) -> dict[str, Any]:
        """As JSON-able keys and values."""
        points = {name: [asdict(point) for point in found] for name, found in self.methods.items()}
        return asdict(self) | {"methods": points, "resident": dict(self.resident)}


def explore(question: Question, points: int) -> Frontier:
    """Plan for `points` bounds, from tighter than all experts local to where none binds.

    Raises:
        CommandError: nothing fits what is on offer.
    """
    resident = _resident(question)
    fastest = resident[Alternative.MIX if question.profile.gpu else Alternative.CPU][0]
    bounds = fastest * np.geomspace(_TIGHTEST, _LOOSEST, points)
    return Frontier(
        model=question.architecture.name,
        currency=question.offerings.prices.currency,
        billing=str(question.offerings.billing),
        methods={
            label: tuple(_points(question, method, bounds.tolist()))
            for method, label in _METHODS.items()
        },
        resident=resident,
    )


def draw(frontier: Frontier, stem: Path) -> tuple[Path, Path]:
    """Write the picture as SVG and PNG.

    Raises:
        OSError: they cannot be written.
    """
    return draw_frontier(
        stem,
        frontier.methods,
        frontier.resident,
        title=f"{frontier.model}: the cheapest plan for each promise, billed while "
        f"{frontier.billing}",
        currency=frontier.currency,
    )


def frontier_table(frontier: Frontier) -> Table:
    """A line for each bound, a column for each method; empty where the bound cannot be kept."""
    table = Table(
        title=f"Cost of a request in {frontier.currency}, billed while {frontier.billing}"
    )
    table.add_column("TPOT promised", justify="right")
    for name in frontier.methods:
        table.add_column(name, justify="right")
    by_bound = {
        name: {point.tpot_bound_seconds: point for point in points}
        for name, points in frontier.methods.items()
    }
    for bound in sorted({bound for points in by_bound.values() for bound in points}):
        table.add_row(written(bound), *(_cell(points.get(bound)) for points in by_bound.values()))
    table.caption = "\n".join(
        f"{name}: {cost:.3g} at {written(tpot)}" for name, (tpot, cost) in frontier.resident.items()
    )
    return table


def _cell(point: FrontierPoint | None) -> str:
    if point is None:
        return ""
    return f"{point.cost_per_request:.3g} ({point.remote_share:.0%} remote)"


def _points(question: Question, method: Method, bounds: list[float]) -> list[FrontierPoint]:
    answers = (
        (bound, question.under(replace(question.slo, tpot_seconds=bound)).answer(method))
        for bound in bounds
    )
    return [_point(question, bound, planned) for bound, planned in answers if planned.feasible]


def _point(question: Question, bound: float, planned: Planned) -> FrontierPoint:
    return FrontierPoint(
        tpot_bound_seconds=bound,
        tpot_seconds=planned.estimate.latency.tpot_at_percentile_seconds,
        cost_per_request=planned.estimate.under(question.offerings.billing).per_request,
        remote_share=planned.plan.remote_share,
    )


def _resident(question: Question) -> dict[str, tuple[float, float]]:
    return {
        str(other.alternative): (
            other.estimate.latency.tpot_at_percentile_seconds,
            other.estimate.under(question.offerings.billing).per_request,
        )
        for other in question.resident()
    }
