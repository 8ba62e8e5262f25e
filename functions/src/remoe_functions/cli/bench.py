"""`remoe bench`: load on a running service, and how it answered."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from remoe_functions.cli.chat import DEFAULT_URL
from remoe_functions.cli.options import Json, Key, Url

if TYPE_CHECKING:
    from remoe_functions.cli.load import Load, Outcome
    from remoe_functions.cli.load_report import LoadReport


def bench(
    url: Url = DEFAULT_URL,
    key: Key = "none",
    model: Annotated[
        str | None, Option(help="Model to ask.", show_default="the first one served")
    ] = None,
    requests: Annotated[int, Option(min=1, help="Requests in all.")] = 32,
    concurrency: Annotated[int, Option(min=1, help="Requests at once.")] = 4,
    max_tokens: Annotated[int, Option(min=1, help="Tokens of each answer.")] = 32,
    warmup: Annotated[int, Option(min=0, help="Requests before, not counted.")] = 1,
    ignore_eos: Annotated[
        bool, Option(help="Let every answer have all its tokens (Remoe and vLLM know this).")
    ] = True,
    as_json: Json = False,
) -> None:
    """Put load on a running service and show percentiles.

    Each of the concurrent clients asks again as soon as its answer is whole. Prompts are the
    60 samples, in turn; answers are greedy.

    For example:

        remoe bench --concurrency 8 --requests 64
        remoe bench --url http://127.0.0.1:8000/v1 --json
    """
    import asyncio

    from remoe_functions.cli.failure import CommandError
    from remoe_functions.cli.load import Load
    from remoe_functions.cli.load_report import report_of

    load = Load(
        requests=requests,
        concurrency=concurrency,
        max_tokens=max_tokens,
        warmup=warmup,
        ignore_eos=ignore_eos,
    )
    outcome = asyncio.run(_run(url, key, model, load))
    if not outcome.answers:
        raise CommandError(f"all {requests} requests failed; the first: {outcome.failures[0]}")
    _show(report_of(outcome), as_json=as_json)


async def _run(url: str, key: str, model: str | None, load: Load) -> Outcome:
    from rich.console import Console
    from rich.progress import Progress

    from remoe_functions.cli.asking import first_model
    from remoe_functions.cli.client import connected
    from remoe_functions.cli.load import put_load

    async with connected(url, key) as client:
        name = model or await first_model(client)
        with Progress(console=Console(file=sys.stderr), transient=True) as bar:
            task = bar.add_task("asking", total=load.requests + load.warmup)
            return await put_load(client, name, load, lambda: bar.advance(task))


def _show(report: LoadReport, *, as_json: bool) -> None:
    from dataclasses import asdict

    from rich.console import Console

    from remoe_functions.cli.load_report import summary_of, table_of

    if as_json:
        typer.echo(json.dumps(asdict(report), indent=2))
    else:
        Console().print(table_of(report))
        typer.echo(summary_of(report))
