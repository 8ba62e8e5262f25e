"""`remoe serve`: one model behind an OpenAI endpoint, rarely used experts in sleeping functions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from remoe_functions.cli import options as shared
from remoe_functions.cli import serve_options as own
from remoe_planner.grouping import Grouping

if TYPE_CHECKING:
    from remoe_functions.cli.planning import PlanOptions
    from remoe_functions.cli.serve import ServeOptions
    from remoe_functions.source.source import Source
    from remoe_planner.plan import Plan


def serve_model(
    model: shared.Model,
    plan: own.PlanFile = None,
    remote_share: shared.RemoteShare = 0.5,
    functions: shared.Functions = 4,
    group_by: shared.GroupBy = Grouping.BY_USE,
    max_replicas: shared.Replicas = 1,
    keep_alive: shared.KeepAlive = 60.0,
    idle_timeout: own.IdleTimeout = None,
    host: own.Host = "127.0.0.1",
    port: own.Port = 8000,
    name: own.Name = None,
    history: shared.History = None,
    keep_history: own.KeepHistory = True,
    prices: shared.PricesFile = None,
    dtype: own.DtypeOption = own.Dtype.AUTO,
    device: own.DeviceOption = own.Device.AUTO,
    max_batch: own.MaxBatch = 8,
    max_context: own.MaxContext = None,
    run_dir: own.RunDir = None,
) -> None:
    """Serve a model on this machine until Ctrl-C.

    Without --plan, one is made from the recorded history and the options (see `remoe plan`).
    API keys come from REMOE_API_KEYS, a JSON object of name to key. Hubs use HF_ENDPOINT, HF_TOKEN.

    For example:

        remoe serve ./model
        remoe serve hf://org/name@main --remote-share 0.7 --functions 8
        remoe serve ./model --plan plan.json --idle-timeout 300 --port 0
    """
    from remoe_functions.cli.places import history_directory
    from remoe_functions.cli.planning import PlanOptions, read_prices
    from remoe_functions.cli.serve import ServeOptions
    from remoe_functions.source.source import resolve

    source = resolve(model)
    kept = history or history_directory(source)
    wanted = PlanOptions(
        remote_share=remote_share,
        functions=functions,
        grouping=group_by,
        max_replicas=max_replicas,
        keep_alive_seconds=keep_alive,
    )
    options = ServeOptions(
        **_place(source, name, host, port, run_dir),
        plan=_plan(source, plan, kept, wanted),
        prices=read_prices(prices, gpu=device is own.Device.CUDA),
        history=kept if keep_history else None,
        main_idle_seconds=idle_timeout,
        dtype=dtype.value,
        device=device.value,
        max_batch=max_batch,
        max_context=max_context,
    )
    raise typer.Exit(_run(options))


def _run(options: ServeOptions) -> int:
    import asyncio

    from remoe_functions.cli.serve import serve
    from remoe_functions.runtime.tether import Tether

    Tether.from_environment()  # a service started by another command dies with it
    return asyncio.run(serve(options, say=_say))


def _place(
    source: Source, name: str | None, host: str, port: int, run_dir: Path | None
) -> dict[str, Any]:
    """Which model is served, and where."""
    return {
        "model": source.directory,
        "name": name or source.name,
        "host": host,
        "port": port,
        "run_dir": run_dir,
        "environment": dict(os.environ),
    }


def _plan(source: Source, file: Path | None, history: Path, options: PlanOptions) -> Plan:
    """The plan of the file, or one made now."""
    from remoe_functions.cli.planning import architecture_of, make_plan, read_plan

    architecture = architecture_of(source.directory)
    if file is not None:
        return read_plan(file, architecture)
    planned = make_plan(architecture, history, options)
    for reason in planned.plan.reasons:
        _say(f"plan: {reason}")
    return planned.plan


def _say(line: str) -> None:
    print(line, flush=True)
