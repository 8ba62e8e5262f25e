"""`remoe plan`: where each expert would run, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from remoe_functions.cli.options import (
    Functions,
    GroupBy,
    History,
    Json,
    KeepAlive,
    Model,
    RemoteShare,
    Replicas,
)
from remoe_planner.grouping import Grouping

if TYPE_CHECKING:
    from remoe_functions.cli.planning import Planned
    from remoe_planner.plan import Plan


def plan(
    model: Model,
    remote_share: RemoteShare = 0.5,
    functions: Functions = 4,
    group_by: GroupBy = Grouping.BY_USE,
    max_replicas: Replicas = 1,
    keep_alive: KeepAlive = 60.0,
    history: History = None,
    output: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Also write the plan (JSON) here.")
    ] = None,
    diff: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Show what changes from this plan.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Choose which experts leave the main model, and print the plan with its reasons.

    The least used experts go first, as the recorded history says (see `remoe record`);
    without any history all count as equally used.

    For example:

        remoe plan ./model --remote-share 0.5
        remoe plan ./model --functions 8 --output plan.json
        remoe plan ./model --diff plan.json --json
    """
    from remoe_functions.cli.places import history_directory
    from remoe_functions.cli.planning import PlanOptions, architecture_of, make_plan, read_plan
    from remoe_functions.source.source import resolve

    source = resolve(model)
    architecture = architecture_of(source.directory)
    options = PlanOptions(
        remote_share=remote_share,
        functions=functions,
        grouping=group_by,
        max_replicas=max_replicas,
        keep_alive_seconds=keep_alive,
    )
    planned = make_plan(architecture, history or history_directory(source), options)
    before = None if diff is None else read_plan(diff, architecture)
    if output is not None:
        output.write_text(planned.plan.to_json() + "\n", "utf-8")
    show = _show_json if as_json else _show
    show(planned, before)


def _show_json(planned: Planned, before: Plan | None) -> None:
    """The plan itself, or, beside an earlier one, the difference."""
    if before is None:
        typer.echo(planned.plan.to_json())
        return
    from remoe_planner.difference import difference

    changes = difference(before, planned.plan)
    body = {
        "moves": [
            {"expert": str(move.expert), "before": move.before, "after": move.after}
            for move in changes.moves
        ],
        "added": changes.added,
        "removed": changes.removed,
        "changed": changes.changed,
        "mainMemoryBytes": changes.main_memory_bytes,
    }
    typer.echo(json.dumps(body, indent=2))


def _show(planned: Planned, before: Plan | None) -> None:
    from rich.console import Console

    from remoe_functions.cli.plan_table import difference_table, plan_table
    from remoe_planner.difference import difference

    console = Console()
    console.print(plan_table(planned.plan, planned.utility))
    for reason in planned.plan.reasons:
        console.print(f"• {reason}", highlight=False, markup=False)
    if before is not None:
        console.print()
        console.print(difference_table(difference(before, planned.plan)))
