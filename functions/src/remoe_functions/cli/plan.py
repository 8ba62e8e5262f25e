"""`remoe plan`: where each expert would run, what that costs, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from remoe_functions.cli import options as shared
from remoe_functions.cli import plan_options as own
from remoe_planner.billing import Billing
from remoe_planner.grouping import Grouping

if TYPE_CHECKING:
    from remoe_functions.cli.made_plan import MadePlan
    from remoe_planner.plan import Plan


def plan(
    model: shared.Model,
    ttft: own.Ttft = None,
    tpot: own.Tpot = None,
    percentile: own.Percentile = 95,
    method: own.MethodOption = own.PlanMethod.AUTO,
    workload: own.WorkloadFile = None,
    prices: shared.PricesFile = None,
    profile: own.ProfileFile = None,
    billing: own.BillingOption = Billing.AWAKE,
    functions: own.MostFunctions = None,
    max_replicas: shared.Replicas = 1,
    max_batch: own.MaxBatch = 8,
    keep_alive: shared.KeepAlive = 60.0,
    main_keep_alive: own.MainKeepAlive = 300.0,
    cores_per_gib: own.CoresPerGib = None,
    remote_share: own.RemoteShare = None,
    group_by: shared.GroupBy = Grouping.BY_USE,
    history: shared.History = None,
    experts: shared.Experts = "stored",
    output: own.Output = None,
    diff: own.Before = None,
    picture: own.Picture = None,
    as_json: shared.Json = False,
) -> None:
    """Choose where each expert runs, and print the plan with its estimate and its reasons.

    With a latency to keep, or a hardware profile (`remoe profile`), they are chosen at least cost;
    else the least used experts go first (--remote-share), by the history (`remoe record`).

    For example:

        remoe plan ./model --ttft 2s --tpot 100ms
        remoe plan ./model --tpot 100ms --workload requests.toml --prices prices.toml --json
        remoe plan ./model --remote-share 0.5 --diff plan.json
    """
    from remoe_functions.cli.experts_choice import chosen_experts
    from remoe_functions.cli.made_plan import LeastUsed, make
    from remoe_functions.cli.slo_planning import QuestionOptions, promise
    from remoe_functions.source.source import resolve

    source = resolve(model)
    asked = QuestionOptions(
        history=history,
        workload=workload,
        prices=prices,
        profile=profile,
        slo=promise(ttft, tpot, percentile),
        billing=billing,
        functions=functions,
        max_replicas=max_replicas,
        max_batch=max_batch,
        keep_alive_seconds=keep_alive,
        main_keep_alive_seconds=main_keep_alive,
        cores_per_gib=cores_per_gib,
        experts=chosen_experts(model, source.directory, experts),
    )
    made = make(source, method, asked, LeastUsed(remote_share=remote_share, grouping=group_by))
    _keep(made, output, picture)
    (_show_json if as_json else _show)(made, _before(made, diff))


def _before(made: MadePlan, file: Path | None) -> Plan | None:
    from remoe_functions.cli.planning import read_plan

    return None if file is None else read_plan(file, made.plan.architecture)


def _keep(made: MadePlan, output: Path | None, picture: Path | None) -> None:
    """Write and draw what was asked for; where is said beside what is printed."""
    if output is not None:
        output.write_text(made.plan.to_json() + "\n", "utf-8")
    if picture is None:
        return
    from remoe_functions.cli.plan_picture import draw_plan

    for path in draw_plan(picture, made.plan, made.utility):
        typer.echo(f"picture: {path}", err=True)


def _show_json(made: MadePlan, before: Plan | None) -> None:
    """The plan itself, with its alternatives where they were asked; or the difference."""
    if before is not None:
        typer.echo(json.dumps(_difference(before, made.plan), indent=2))
        return
    from remoe_functions.cli.estimate_table import estimate_rows

    body = json.loads(made.plan.to_json())
    if made.candidates:
        body["feasible"] = made.feasible
        body["shortfalls"] = [shortfall.sentence for shortfall in made.shortfalls]
        body["alternatives"] = estimate_rows(made.candidates[1:])
    typer.echo(json.dumps(body, indent=2, sort_keys=True))


def _difference(before: Plan, after: Plan) -> dict[str, object]:
    from remoe_planner.difference import difference

    changes = difference(before, after)
    return {
        "moves": [
            {"expert": str(move.expert), "before": move.before, "after": move.after}
            for move in changes.moves
        ],
        "added": changes.added,
        "removed": changes.removed,
        "changed": changes.changed,
        "mainMemoryBytes": changes.main_memory_bytes,
    }


def _show(made: MadePlan, before: Plan | None) -> None:
    from rich.console import Console

    from remoe_functions.cli.estimate_table import estimate_table
    from remoe_functions.cli.plan_table import difference_table, plan_table
    from remoe_planner.difference import difference

    console = Console()
    console.print(plan_table(made.plan, made.utility))
    if made.candidates:
        console.print(estimate_table(made.candidates, made.slo, made.currency))
    for sentence in made.sentences:
        console.print(f"• {sentence}", highlight=False, markup=False)
    if before is not None:
        console.print()
        console.print(difference_table(difference(before, made.plan)))
