"""`remoe profile`: how long this machine takes for everything a plan is made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from remoe_functions.cli.options import Experts, Json, Model
from remoe_functions.cli.serve_options import Device, DeviceOption

if TYPE_CHECKING:
    from remoe_planner.hardware.profile import HardwareProfile

Output = Annotated[
    Path | None,
    Option(dir_okay=False, help="Where the profile goes.", show_default="by the model's name"),
]


def profile(
    model: Model,
    experts: Experts = "stored",
    plan: Annotated[
        Path | None,
        Option(dir_okay=False, help="Measure local beside remote work with this plan."),
    ] = None,
    quick: Annotated[bool, Option("--quick", help="Fewer repeats: less exact.")] = False,
    device: DeviceOption = Device.AUTO,
    output: Output = None,
    as_json: Json = False,
) -> None:
    """Measure this machine with the model: its layers, experts, calls, starts and memory.

    Runs the real main model and real expert functions, several times; two to three minutes for
    the demo model, and nothing else should be running. The profile is kept where `remoe plan`
    looks for it.

    For example:

        remoe profile ./model
        remoe profile ./model --quick --output profile.json
    """
    from remoe_functions.cli.experts_choice import chosen_experts
    from remoe_functions.cli.measuring import measured_profile
    from remoe_functions.cli.places import profile_file
    from remoe_functions.cli.planning import architecture_of, read_plan
    from remoe_functions.source.source import resolve

    source = resolve(model)
    sidecar = chosen_experts(model, source.directory, experts)
    given = None if plan is None else read_plan(plan, architecture_of(source.directory, sidecar))
    found = measured_profile(
        source, plan=given, quick=quick, say=_say, experts=sidecar, device=device.value
    )
    place = output or profile_file(source)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(found.to_json() + "\n", "utf-8")
    if as_json:
        typer.echo(found.to_json())
        return
    _show(found)
    typer.echo(f"Kept in {place}.")


def _say(line: str) -> None:
    typer.echo(f"measuring: {line}", err=True)


def _show(found: HardwareProfile) -> None:
    from rich.console import Console

    from remoe_functions.cli.profile_table import profile_table

    Console().print(profile_table(found))
