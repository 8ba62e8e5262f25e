"""Load on a service: so many clients, each asking again as soon as it is answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice

from openai import AsyncOpenAI, OpenAIError

from remoe_functions.cli.asking import Answer, Asking, ask
from remoe_functions.cli.client import readable
from remoe_functions.sample_prompts.prompts import Prompt, sample_prompts


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked, and how much at once; bounds are the command's."""

    requests: int
    concurrency: int
    max_tokens: int
    warmup: int = 0
    ignore_eos: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a load.

    Attributes:
        load: what was asked.
        elapsed_seconds: from the first question to the last answer.
        answers: those that came whole.
        failures: what the others said.
    """

    load: Load
    elapsed_seconds: float
    answers: tuple[Answer, ...]
    failures: tuple[str, ...]


async def put_load(
    client: AsyncOpenAI, model: str, load: Load, on_done: Callable[[], None]
) -> Outcome:
    """Ask until all is asked; a request that fails is counted and not repeated."""
    asking = Asking(model=model, max_tokens=load.max_tokens, ignore_eos=load.ignore_eos)
    prompts = cycle(sample_prompts())
    await _ask_all(client, asking, islice(prompts, load.warmup), load.concurrency, on_done)
    started_at = time.monotonic()
    results = await _ask_all(
        client, asking, islice(prompts, load.requests), load.concurrency, on_done
    )
    return Outcome(
        load=load,
        elapsed_seconds=time.monotonic() - started_at,
        answers=tuple(result for result in results if isinstance(result, Answer)),
        failures=tuple(result for result in results if isinstance(result, str)),
    )


async def _ask_all(
    client: AsyncOpenAI,
    asking: Asking,
    prompts: Iterator[Prompt],
    concurrency: int,
    on_done: Callable[[], None],
) -> list[Answer | str]:
    results: list[Answer | str] = []

    async def work() -> None:
        for prompt in prompts:  # shared: each client takes the next
            results.append(await _ask_one(client, asking, prompt))
            on_done()

    await asyncio.gather(*(work() for _ in range(concurrency)))
    return results


async def _ask_one(client: AsyncOpenAI, asking: Asking, prompt: Prompt) -> Answer | str:
    try:
        return await ask(client, asking, [{"role": "user", "content": prompt.text}])
    except OpenAIError as error:
        return readable(error, str(client.base_url))
