"""`remoe plan frontier`: what a tighter latency costs, as a picture and a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from remoe_functions.cli import options as shared
from remoe_functions.cli import plan_options as own
from remoe_planner.billing import Billing

if TYPE_CHECKING:
    from remoe_functions.cli.frontier import Frontier


def frontier(
    model: shared.Model,
    ttft: own.Ttft = None,
    percentile: own.Percentile = 95,
    workload: own.WorkloadFile = None,
    prices: shared.PricesFile = None,
    profile: own.ProfileFile = None,
    billing: own.BillingOption = Billing.BUSY,
    functions: own.MostFunctions = None,
    max_replicas: shared.Replicas = 1,
    history: shared.History = None,
    points: Annotated[int, typer.Option(min=2, max=100, help="Bounds to plan for.")] = 16,
    picture: Annotated[
        Path, typer.Option(metavar="PATH", help="Where to draw it: PATH.svg and PATH.png.")
    ] = Path("frontier"),
    as_json: shared.Json = False,
) -> None:
    """Plan for one bound on time per output token after the other, and draw what each costs.

    Our plan and the paper's stand side by side, with everything resident as the alternative.

    For example:

        remoe plan frontier ./model --workload requests.toml --picture out/frontier
    """
    from remoe_functions.cli.frontier import draw, explore
    from remoe_functions.cli.slo_planning import QuestionOptions, promise, question_of
    from remoe_functions.source.source import resolve

    asked = QuestionOptions(
        history=history,
        workload=workload,
        prices=prices,
        profile=profile,
        slo=promise(ttft, None, percentile),
        billing=billing,
        functions=functions,
        max_replicas=max_replicas,
    )
    found = explore(question_of(resolve(model), asked), points)
    pictures = draw(found, picture)
    if as_json:
        typer.echo(json.dumps(found.to_mapping() | {"pictures": list(map(str, pictures))}))
        return
    _show(found)
    for path in pictures:
        typer.echo(f"picture: {path}")


def _show(found: Frontier) -> None:
    from rich.console import Console

    from remoe_functions.cli.frontier import frontier_table

    Console().print(frontier_table(found))
