"""`remoe chat`: talk to a service, and see after each answer where experts ran."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from remoe_functions.cli.cluster.options import Namespace
from remoe_functions.cli.options import Json, Key, Url

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from remoe_functions.cli.asking import Answer, Asking, Message

DEFAULT_URL = "http://127.0.0.1:8000/v1"


def chat(
    message: Annotated[
        str | None, Argument(help="Ask this one question and leave; without it, a conversation.")
    ] = None,
    url: Url = DEFAULT_URL,
    key: Key = "none",
    model: Annotated[
        str | None, Option(help="Model to talk to.", show_default="the first one served")
    ] = None,
    max_tokens: Annotated[int, Option(min=1, help="Tokens of an answer at most.")] = 256,
    temperature: Annotated[float, Option(min=0, max=2, help="0: always the same answer.")] = 0.7,
    service: Annotated[
        str | None, Option(metavar="NAME", help="Talk to this MoEService of the cluster instead.")
    ] = None,
    namespace: Namespace = None,
    as_json: Json = False,
) -> None:
    """Talk to a running service in the terminal.

    After each answer it shows the time to the first token and per token, which share of the
    experts ran where, which functions woke, and what the answer cost. Leave with Ctrl-D.

    For example:

        remoe chat
        remoe chat "Why is the sky blue?" --temperature 0
        remoe chat "Name a river." --json
        remoe chat --service demo
    """
    from remoe_functions.cli.failure import CommandError

    if as_json and message is None:
        raise CommandError("--json wants the question as an argument: remoe chat 'Hello' --json")
    talk = partial(
        _talk, key, message=message, max_tokens=max_tokens, temperature=temperature, as_json=as_json
    )
    if service is None:
        talk(url, model)
    else:
        _in_cluster(service, namespace, model, talk)


def _in_cluster(
    name: str, namespace: str | None, model: str | None, talk: Callable[[str, str | None], None]
) -> None:
    """Talk to a service of the cluster through a tunnel to its gateway."""
    from remoe_functions.cli.cluster.connection import Cluster
    from remoe_functions.cli.cluster.tunnel import tunnel
    from remoe_functions.cli.cluster.view import ServiceView

    cluster = Cluster.current(namespace)
    service = ServiceView(cluster.service(name))
    with tunnel(cluster) as address:
        talk(f"{address}/v1", model or service.model)


def _talk(
    key: str,
    url: str,
    model: str | None,
    *,
    message: str | None,
    max_tokens: int,
    temperature: float,
    as_json: bool,
) -> None:
    import asyncio

    asyncio.run(_chat(url, key, model, message, max_tokens, temperature, as_json=as_json))


async def _chat(
    url: str,
    key: str,
    model: str | None,
    message: str | None,
    max_tokens: int,
    temperature: float,
    *,
    as_json: bool,
) -> None:
    from remoe_functions.cli.asking import Asking, first_model
    from remoe_functions.cli.client import connected

    async with connected(url, key, retries=2) as client:
        name = model or await first_model(client)
        asking = Asking(model=name, max_tokens=max_tokens, temperature=temperature)
        if message is None:
            await _converse(client, asking, url)
        elif as_json:
            await _answer_as_json(client, asking, message)
        else:
            await _turn(client, asking, [{"role": "user", "content": message}])


async def _converse(client: AsyncOpenAI, asking: Asking, url: str) -> None:
    """Turns until the end of input; a turn that fails leaves the conversation as it was."""
    import asyncio

    from openai import OpenAIError

    from remoe_functions.cli.client import readable

    typer.echo(f"Talking to {asking.model}. Leave with Ctrl-D.")
    said: list[Message] = []
    while (question := await asyncio.to_thread(_read_line)) is not None:
        if not question.strip():
            continue
        asked: list[Message] = [*said, {"role": "user", "content": question}]
        try:
            answer = await _turn(client, asking, asked)
        except OpenAIError as error:
            typer.echo(f"remoe: {readable(error, url)}", err=True)
            continue
        said = [*asked, {"role": "assistant", "content": answer.text}]


async def _turn(client: AsyncOpenAI, asking: Asking, messages: list[Message]) -> Answer:
    from remoe_functions.cli.answer_line import describe
    from remoe_functions.cli.asking import ask

    answer = await ask(client, asking, messages, lambda text: typer.echo(text, nl=False))
    typer.echo()
    typer.secho(describe(answer), dim=True)
    return answer


async def _answer_as_json(client: AsyncOpenAI, asking: Asking, message: str) -> None:
    from remoe_functions.cli.asking import ask

    answer = await ask(client, asking, [{"role": "user", "content": message}])
    body = asdict(answer) | {"model": asking.model, "tpot_seconds": answer.tpot_seconds}
    typer.echo(json.dumps(body, indent=2))


def _read_line() -> str | None:
    """A line from the user; None at the end of input."""
    try:
        return input("\n> ")
    except EOFError:
        typer.echo()
        return None
