"""`remoe record`: a first activation history, from prompts."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Option

from remoe_functions.cli.options import History, Json, Model

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from remoe_functions.sample_prompts.prompts import Prompt
    from remoe_functions.source.source import Source


# A fit on 1,500 prompts takes half a minute of one core; a busy machine takes longer.
_FIT_SECONDS = 300


def record(
    model: Model,
    prompts: Annotated[
        Path | None,
        Option(
            dir_okay=False,
            help="Prompts, one a line (.jsonl: objects with a text).",
            show_default="60 samples",
        ),
    ] = None,
    history: History = None,
    limit: Annotated[int | None, Option(min=1, help="Prompts at most.", show_default="all")] = None,
    seed: Annotated[
        int | None,
        Option(help="Draw the prompts of --limit by chance.", show_default="the first"),
    ] = None,
    max_tokens: Annotated[int, Option(min=1, help="Tokens of each answer at most.")] = 32,
    concurrency: Annotated[int, Option(min=1, help="Requests at once.")] = 4,
    as_json: Json = False,
) -> None:
    """Run prompts through a model and record which experts they use.

    Starts a service of its own with every expert resident, and stops it in the end. Counts,
    prompt vectors and what was learned of tokens in context are kept, never the prompts. A running
    service records by itself; this is for having a history before the first user comes.

    For example:

        remoe record ./model
        remoe record ./model --prompts ours.txt --max-tokens 64
    """
    import asyncio

    from remoe_functions.cli.places import history_directory
    from remoe_functions.cli.planning import architecture_of
    from remoe_functions.history.reader import read_history
    from remoe_functions.sample_prompts.prompts import read_prompts, sample_prompts
    from remoe_functions.source.source import resolve

    source = resolve(model)
    architecture = architecture_of(source.directory)
    chosen = _drawn(read_prompts(prompts) if prompts else sample_prompts(), limit, seed)
    folder = history or history_directory(source)
    before = read_history(folder, architecture).requests
    asyncio.run(record_prompts(source, chosen, folder, max_tokens, concurrency))
    after = read_history(folder, architecture).requests
    _tell(folder, after - before, after, as_json=as_json)


async def record_prompts(
    source: Source, prompts: Sequence[Prompt], history: Path, max_tokens: int, concurrency: int
) -> None:
    """Put prompts to a service of our own that records; a bar on stderr shows how far it is.

    Raises:
        CommandError: the service does not start, or refuses a prompt.
    """
    import asyncio

    from rich.console import Console
    from rich.progress import Progress

    from remoe_functions.cli.asking import Asking, ask
    from remoe_functions.cli.client import connected
    from remoe_functions.cli.service import running

    options = ("--remote-share", "0", "--history", str(history))
    with Progress(console=Console(file=sys.stderr), transient=True) as bar:
        task = bar.add_task("loading the model", total=None)
        async with running(source.directory, source.name, *options) as service:
            bar.update(task, description="recording", total=len(prompts))
            places = asyncio.Semaphore(concurrency)
            asking = Asking(model=service.model, max_tokens=max_tokens)

            async def put(client: AsyncOpenAI, prompt: Prompt) -> None:
                async with places:
                    await ask(client, asking, [{"role": "user", "content": prompt.text}])
                    bar.advance(task)

            async with connected(service.url, retries=2) as client:
                await asyncio.gather(*(put(client, prompt) for prompt in prompts))
            bar.update(task, description="fitting the forecaster", total=None)
            await forecaster_fitted(service.url)


async def forecaster_fitted(url: str) -> None:
    """Wait until the gateway has learned from what it served; a while at most."""
    import asyncio

    import httpx
    from prometheus_client.parser import text_string_to_metric_families

    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        for _ in range(_FIT_SECONDS):
            await asyncio.sleep(1)  # the gateway looks once a second
            try:
                text = (await http.get(f"{url.removesuffix('/v1')}/metrics")).text
            except httpx.HTTPError:
                return
            samples = [s for f in text_string_to_metric_families(text) for s in f.samples]
            values = {sample.name: sample.value for sample in samples}
            if not values.get("remoe:forecast_fit_due"):
                return


def _drawn(prompts: Sequence[Prompt], limit: int | None, seed: int | None) -> Sequence[Prompt]:
    """So many of the prompts: the first, or by chance where there is a seed."""
    if seed is None:
        return prompts[:limit]
    from random import Random

    return Random(seed).sample(prompts, min(limit or len(prompts), len(prompts)))  # noqa: S311


def _tell(folder: Path, new: int, total: int, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"history": str(folder), "recorded": new, "requests": total}))
    else:
        typer.echo(f"Recorded {new} requests; the history in {folder} holds {total}.")
