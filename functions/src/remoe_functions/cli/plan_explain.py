"""`remoe plan explain`: why an expert, a function or a constraint is as it is."""

from __future__ import annotations

from typing import Annotated

import typer

from remoe_functions.cli import options as shared
from remoe_functions.cli import plan_options as own
from remoe_planner.billing import Billing


def explain(
    model: shared.Model,
    about: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ABOUT]...",
            help="Experts (3/17), functions (experts-1), constraints (TPOT), or load.",
            show_default="every function and binding constraint",
        ),
    ] = None,
    plan: own.PlanToExplain = None,
    ttft: own.Ttft = None,
    tpot: own.Tpot = None,
    percentile: own.Percentile = 95,
    workload: own.WorkloadFile = None,
    prices: shared.PricesFile = None,
    profile: own.ProfileFile = None,
    billing: own.BillingOption = Billing.AWAKE,
    history: shared.History = None,
) -> None:
    """Say in numbers why something is where it is: its use, its rank, its cost here and there.

    Without --plan, the plan that `remoe plan` would make with the same options is explained.

    For example:

        remoe plan explain ./model 3/17 --tpot 100ms
        remoe plan explain ./model experts-1 --plan plan.json
    """
    from remoe_functions.cli.explanation import explanation_of
    from remoe_functions.cli.slo_planning import QuestionOptions, promise
    from remoe_functions.source.source import resolve

    asked = QuestionOptions(
        history=history,
        workload=workload,
        prices=prices,
        profile=profile,
        slo=promise(ttft, tpot, percentile),
        billing=billing,
    )
    for sentence in explanation_of(resolve(model), asked, plan, about or []):
        typer.echo(sentence)
