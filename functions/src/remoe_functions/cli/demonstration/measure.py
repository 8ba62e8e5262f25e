"""The script put to a service, with what its parts did meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from openai import AsyncOpenAI

from remoe_functions.cli.asking import Answer, Asking, OnText, ask
from remoe_functions.cli.client import connected
from remoe_functions.cli.demonstration.script import ROUNDS, Round
from remoe_functions.cli.service import Service
from remoe_functions.runtime.state import PartKind, Snapshot
from remoe_planner.bill import FunctionUse, Usage

Show = Callable[[Round], AbstractContextManager[list["Pane"]]]


class Pane:
    """Where one answer is shown. This one shows nothing."""

    def text(self, piece: str) -> None:
        """A piece of the answer came."""

    def done(self, answer: Answer) -> None:
        """The answer is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a service did with the script.

    Attributes:
        answers: in the script's order.
        window_seconds: from the first question to the last answer.
        pause_seconds: how much of it was the pause after the first round.
        main_awake_seconds: replica-seconds of the main model in that time.
        functions_awake_seconds: the same of each function.
        wakes: times each function was woken in that time.
        main_resident_bytes: resident memory of the main process in the end.
        functions_resident_bytes: resident memory of all functions in the end.
    """

    answers: tuple[Answer, ...]
    window_seconds: float
    main_awake_seconds: float
    functions_awake_seconds: Mapping[str, float]
    wakes: Mapping[str, int]
    main_resident_bytes: int
    functions_resident_bytes: int
    pause_seconds: float = 0.0

    @property
    def window_usage(self) -> Usage:
        """The whole window as a usage: awake time, idle included, and the calls in it."""
        calls = dict.fromkeys(self.functions_awake_seconds, 0)
        for answer in self.answers:
            for name, count in (answer.receipt.functions if answer.receipt else {}).items():
                calls[name] = calls.get(name, 0) + count
        awake = self.functions_awake_seconds
        return Usage(
            main_seconds=self.main_awake_seconds,
            functions={
                n: FunctionUse(seconds=awake.get(n, 0.0), calls=c) for n, c in calls.items()
            },
        )

    @property
    def request_cost(self) -> float:
        """What the answers cost together: only the time they were worked on."""
        return sum(answer.receipt.cost for answer in self.answers if answer.receipt)


async def measure(
    service: Service, max_tokens: int, show: Show, *, pause_seconds: float | None = None
) -> Measured:
    """Put the script to a service, round after round.

    Args:
        service: what is asked.
        max_tokens: tokens of an answer at most.
        show: where answers are shown.
        pause_seconds: pause after the first round; None waits until the functions it woke are
            awake, so that the next round finds them so.

    Raises:
        CommandError: the service refused, or broke off.
    """
    asking = Asking(model=service.model, max_tokens=max_tokens)
    answers: list[Answer] = []
    before, started_at = await service.snapshot(), time.monotonic()
    async with connected(service.url) as client:
        answers += await _ask_round(client, asking, ROUNDS[0], show)
        paused = await _pause(service, pause_seconds)
        for part in ROUNDS[1:]:
            answers += await _ask_round(client, asking, part, show)
    window_seconds, after = time.monotonic() - started_at, await service.snapshot()
    return replace(_measured(tuple(answers), window_seconds, before, after), pause_seconds=paused)


async def _pause(service: Service, seconds: float | None) -> float:
    """Pause, and tell for how long."""
    started_at = time.monotonic()
    if seconds is None:
        await service.functions_awake()
    else:
        await asyncio.sleep(seconds)
    return time.monotonic() - started_at


async def _ask_round(client: AsyncOpenAI, asking: Asking, part: Round, show: Show) -> list[Answer]:
    with show(part) as panes:
        pairs = zip(part.prompts, panes, strict=True)
        return await asyncio.gather(*(_ask_one(client, asking, *pair) for pair in pairs))


async def _ask_one(client: AsyncOpenAI, asking: Asking, prompt: str, pane: Pane) -> Answer:
    on_text: OnText = pane.text
    answer = await ask(client, asking, [{"role": "user", "content": prompt}], on_text)
    pane.done(answer)
    return answer


def _measured(
    answers: tuple[Answer, ...], window_seconds: float, before: Snapshot, after: Snapshot
) -> Measured:
    def grown(name: str) -> float:
        return after.parts[name].awake_seconds - before.parts[name].awake_seconds

    main = after.of_kind(PartKind.MAIN)
    functions = after.of_kind(PartKind.FUNCTION)
    return Measured(
        answers=answers,
        window_seconds=window_seconds,
        main_awake_seconds=sum(grown(part.name) for part in main),
        functions_awake_seconds={part.name: grown(part.name) for part in functions},
        wakes={p.name: p.wakes - before.parts[p.name].wakes for p in functions},
        main_resident_bytes=sum(part.memory_bytes for part in main),
        functions_resident_bytes=sum(part.memory_bytes for part in functions),
    )
