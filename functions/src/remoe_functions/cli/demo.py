"""`remoe demo`: the whole path on this machine, told as it happens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from remoe_functions.cli.options import Functions, Json, PricesFile, RemoteShare

if TYPE_CHECKING:
    from rich.console import Console

    from remoe_functions.cli.demonstration.comparison import Comparison
    from remoe_functions.source.source import Source
    from remoe_planner.plan import Plan
    from remoe_planner.prices import Prices

_RECORDED_PROMPTS = 24
_KEEP_ALIVE_SECONDS = 60.0


def demo(
    model: Annotated[
        str | None,
        Option(help="A model, or a folder for the demo model.", show_default="the demo model"),
    ] = None,
    remote_share: RemoteShare = 0.5,
    functions: Functions = 4,
    max_tokens: Annotated[int, Option(min=2, help="Tokens of each answer at most.")] = 48,
    prices: PricesFile = None,
    output: Annotated[
        Path, Option(file_okay=False, help="Folder for the picture and the plan.")
    ] = Path("demo-output"),
    as_json: Json = False,
) -> None:
    """Show everything on this machine: plan, functions waking, answers, costs, one picture.

    Makes the demo model if it is not there, records a short history if there is none, plans, and
    asks six prompts of a service with half of the experts in functions, then the same of one
    with every expert resident. Takes a few minutes and leaves nothing running.

    For example:

        remoe demo
        remoe demo --remote-share 0.75 --functions 8
        remoe demo --json > figures.json
    """
    import asyncio

    from rich.console import Console

    from remoe_functions.cli.planning import read_prices

    console = Console(stderr=as_json)
    costs = read_prices(prices)
    source = _source(model)
    plan = asyncio.run(_plan(console, source, remote_share, functions))
    output.mkdir(parents=True, exist_ok=True)
    (output / "plan.json").write_text(plan.to_json() + "\n", "utf-8")
    compared = asyncio.run(_compare(console, source, plan, costs, output, max_tokens))
    pictures = _tell(console, compared, output)
    if as_json:
        typer.echo(json.dumps(compared.to_dict() | {"pictures": list(map(str, pictures))}))


def _source(model: str | None) -> Source:
    """The model; the demo model is made where it is meant and not there."""
    from remoe_functions.cli.demo_model import assemble_shown
    from remoe_functions.cli.places import demo_model_directory
    from remoe_functions.demo_model.assemble import MANIFEST
    from remoe_functions.source.reference import SCHEME
    from remoe_functions.source.source import resolve

    if model is None:
        return resolve(str(assemble_shown(demo_model_directory())))
    folder = Path(model)
    if not model.startswith(SCHEME) and ((folder / MANIFEST).exists() or not folder.exists()):
        assemble_shown(folder)
    return resolve(model)


async def _plan(console: Console, source: Source, remote_share: float, functions: int) -> Plan:
    """The plan, from a history that is recorded first where there is none; shown with reasons."""
    from remoe_functions.cli.places import history_directory
    from remoe_functions.cli.plan_table import plan_table
    from remoe_functions.cli.planning import PlanOptions, architecture_of, make_plan
    from remoe_functions.cli.record import record_prompts
    from remoe_functions.history.reader import read_history
    from remoe_functions.sample_prompts.prompts import sample_prompts

    architecture = architecture_of(source.directory)
    history = history_directory(source)
    if not len(read_history(history, architecture)):
        console.print(f"Recording which experts {_RECORDED_PROMPTS} sample prompts use…")
        prompts = sample_prompts()[:_RECORDED_PROMPTS]
        await record_prompts(source, prompts, history, max_tokens=24, concurrency=4)
    wanted = PlanOptions(
        remote_share=remote_share,
        functions=functions,
        keep_alive_seconds=_KEEP_ALIVE_SECONDS,
    )
    planned = make_plan(architecture, history, wanted)
    console.print(plan_table(planned.plan, planned.utility))
    console.print(f"[dim]{planned.plan.reasons[0]}[/]", highlight=False)
    return planned.plan


async def _compare(
    console: Console, source: Source, plan: Plan, prices: Prices, output: Path, max_tokens: int
) -> Comparison:
    """The script on the planned service, shown; then on one with every expert resident."""
    from remoe_functions.cli.demonstration.comparison import Comparison, Side
    from remoe_functions.cli.demonstration.measure import measure
    from remoe_functions.cli.demonstration.screen import Screen
    from remoe_functions.cli.places import history_directory
    from remoe_functions.cli.service import running
    from remoe_planner.resident import plan_resident

    screen = Screen(console)
    history = ("--history", str(history_directory(source)))
    carried_out = ("--plan", str(output / "plan.json"), *history)
    console.print("\nStarting gateway and main model; every expert function sleeps…")
    async with running(source.directory, source.name, *carried_out) as service:
        planned = await measure(service, max_tokens, screen.answers)
    console.print("\nThe same prompts on a service with every expert resident…")
    resident_options = ("--remote-share", "0", "--no-keep-history")
    async with running(source.directory, source.name, *resident_options) as service:
        resident = await measure(
            service, max_tokens, screen.count, pause_seconds=planned.pause_seconds
        )
    everything = plan_resident(plan.architecture)
    return Comparison(
        planned=Side(plan=plan, measured=planned, prices=prices),
        resident=Side(plan=everything, measured=resident, prices=prices),
    )


def _tell(console: Console, compared: Comparison, output: Path) -> tuple[Path, Path]:
    """The tables and the picture."""
    from remoe_functions.cli.demonstration.picture import draw
    from remoe_functions.cli.demonstration.report import answers_table, footnotes, totals_table
    from remoe_functions.cli.demonstration.script import all_prompts

    planned = compared.planned
    layers = planned.plan.architecture.layers
    pictures = draw(output / "experts", list(all_prompts()), planned.measured.answers, layers)
    console.print()
    console.print(answers_table(compared))
    console.print(totals_table(compared))
    console.print(footnotes(compared), style="dim", highlight=False)
    console.print(f"Where experts ran, drawn: {pictures[0]} and {pictures[1]}")
    return pictures
