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
    from remoe_planner.architecture import Architecture
    from remoe_planner.plan import Plan


def serve_model(
    model: shared.Model,
    plan: own.PlanFile = None,
    experts: shared.Experts = "stored",
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
        remoe serve ./model --experts q4
    """
    from remoe_functions.cli.experts_choice import chosen_experts
    from remoe_functions.cli.places import history_directory
    from remoe_functions.cli.planning import PlanOptions, architecture_of, read_prices
    from remoe_functions.cli.serve import ServeOptions
    from remoe_functions.source.source import resolve

    source = resolve(model)
    sidecar = chosen_experts(model, source.directory, experts)
    kept = history or history_directory(source)
    wanted = PlanOptions(
        remote_share=remote_share,
        functions=functions,
        grouping=group_by,
        max_replicas=max_replicas,
        keep_alive_seconds=keep_alive,
    )
    options = ServeOptions(
        **_place(source, name, host, port, run_dir, device),
        plan=_plan(architecture_of(source.directory, sidecar), plan, kept, wanted),
        experts=sidecar,
        prices=read_prices(prices, gpu=device is own.Device.CUDA),
        history=kept if keep_history else None,
        main_idle_seconds=idle_timeout,
        **_engine(dtype, device, max_batch, max_context),
    )
    raise typer.Exit(_run(options))


def _run(options: ServeOptions) -> int:
    import asyncio

    from remoe_functions.cli.serve import serve
    from remoe_functions.runtime.tether import Tether

    Tether.from_environment()  # a service started by another command dies with it
    return asyncio.run(serve(options, say=_say))


def _place(
    source: Source,
    name: str | None,
    host: str,
    port: int,
    run_dir: Path | None,
    device: own.DeviceOption,
) -> dict[str, Any]:
    """Which model is served, where, and what is known of the machine."""
    from remoe_functions.cli.compiled_modules import with_compiled_modules

    return {
        "model": source.directory,
        "name": name or source.name,
        "host": host,
        "port": port,
        "run_dir": run_dir,
        "profile": _profile(source, device),
        "environment": with_compiled_modules(dict(os.environ)),
    }


def _profile(source: Source, device: own.DeviceOption) -> Path | None:
    """What `remoe profile` left for this model, where it can be read and is of this device."""
    from remoe_functions.cli.failure import CommandError
    from remoe_functions.cli.places import profile_file
    from remoe_functions.cli.slo_planning import read_profile

    path = profile_file(source)
    if not path.exists():
        return None
    try:
        gpu = read_profile(path, path, source.name).gpu
    except CommandError as error:
        _say(f"profile: {error}; it is not used")
        return None
    contrary = own.Device.CPU if gpu else own.Device.CUDA
    return None if device is contrary else path


def _engine(
    dtype: own.Dtype, device: own.Device, max_batch: int, max_context: int | None
) -> dict[str, Any]:
    """What the main model computes with, and how much at once."""
    return {
        "dtype": dtype.value,
        "device": device.value,
        "max_batch": max_batch,
        "max_context": max_context,
    }


def _plan(
    architecture: Architecture, file: Path | None, history: Path, options: PlanOptions
) -> Plan:
    """The plan of the file, or one made now."""
    from remoe_functions.cli.planning import make_plan, read_plan

    if file is not None:
        return read_plan(file, architecture)
    planned = make_plan(architecture, history, options)
    for reason in planned.plan.reasons:
        _say(f"plan: {reason}")
    return planned.plan


def _say(line: str) -> None:
    print(line, flush=True)
